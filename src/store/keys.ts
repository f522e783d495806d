/**
 * The key layout, in this file alone. Keys are text, so that a dump of the store can be read; numbers in them are
 * padded so that LevelDB's byte order is their order. Every record but a block starts with a checksum over key
 * and body (`records.ts`); a block's key ends with the SHA-256 of its bytes.
 *
 * Blocks are most of what is written, and lie in order of arrival: LevelDB merges a table with those of the next level whose
 * keys overlap its own, and one whose keys overlap none it moves there unread ("trivial move" in `db_impl.cc`, compactions
 * in `doc/impl.md`). Under their digests alone, which are random, every block would be written anew at each level. Nor does
 * anything that is written later meet those that are gone: `dead-space.ts` gives their room back.
 *
 *     meta/format            version of this layout
 *     meta/fleet             the fleet this store belongs to
 *     meta/used              written with the first floor: a store without floors but with this has lost them
 *     root/<version>         root envelope
 *     floor/<channel>        greatest place accepted and the ids there (second copy: floor-files.ts)
 *     channel/<channel>      heads, active, last-known-good, history
 *     envelope/<release>     channel, arrival number, envelope
 *     whole/<release>        every page and block of it was here when this was written
 *     size/<digest>          size and number of a block: the index, so that start never reads blocks
 *     block/<number>/<digest>  a block or a manifest page; of format 1, and left where it lies: block/<digest>
 *     beacon/<key>           newest beacon of a freshness key
 *     lease/<release>        a place leased to a publisher
 *     audit/<at>/<number>    by builds before audit-file.ts; moved there at the start
 *     quarantine/<key>       a damaged record as it was found
 */
import type { Channel, Digest, KeyId, ReleaseId } from '../model/ids.ts'
import { isDigest } from '../model/names.ts'

/** Raised whenever an older build could misread what a newer one wrote. */
export const FORMAT = 2
/** From here on a store is read as it is, and raised to `FORMAT` when it is opened. */
export const OLDEST_FORMAT = 1

const padded = (number: number): string => String(number).padStart(16, '0')

export const META = 'meta/'
export const FORMAT_KEY = `${META}format`
export const FLEET_KEY = `${META}fleet`
export const USED_KEY = `${META}used`
/** Nothing ever lies here: to remove it is a write that changes nothing. */
export const NO_KEY = `${META}none`

export const PREFIX = {
  root: 'root/',
  floor: 'floor/',
  channel: 'channel/',
  envelope: 'envelope/',
  whole: 'whole/',
  size: 'size/',
  block: 'block/',
  beacon: 'beacon/',
  lease: 'lease/',
  audit: 'audit/',
  quarantine: 'quarantine/',
} as const

export const rootKey = (version: number): string => PREFIX.root + padded(version)
export const floorKey = (channel: Channel): string => PREFIX.floor + channel
export const channelKey = (channel: Channel): string => PREFIX.channel + channel
export const envelopeKey = (release: ReleaseId): string => PREFIX.envelope + release
export const wholeKey = (release: ReleaseId): string => PREFIX.whole + release
export const sizeKey = (digest: Digest): string => PREFIX.size + digest
/** @param number undefined: it was written in format 1 */
export const blockKey = (digest: Digest, number: number | undefined): string =>
  PREFIX.block + (number === undefined ? digest : `${padded(number)}/${digest}`)
export const beaconKey = (key: KeyId): string => PREFIX.beacon + key
export const leaseKey = (release: ReleaseId): string => PREFIX.lease + release
export const quarantineKey = (key: string): string => PREFIX.quarantine + key

/** What the key of a block says of it; undefined: no build of ours writes such a key. */
export function blockIn(
  key: string,
): { readonly digest: Digest; readonly number: number | undefined } | undefined {
  const [, digits, digest] = /^block\/(?:(\d{16})\/)?(.*)$/.exec(key) ?? []
  const number = digits === undefined ? undefined : Number(digits)
  return isDigest(digest) && blockKey(digest, number) === key ? { digest, number } : undefined
}

/** Keys of blocks as a line, to be cut anywhere. */
export interface BlockLine {
  readonly from: number
  /** Not on it any more. */
  readonly to: number
  keyAt(at: number): string
  /** Undefined where it lies on another line. */
  placeOf(digest: Digest, number: number | undefined): number | undefined
}

/** With this many digits of 16 a digest has its place on the line: a number that is exact. */
const PLACE_DIGITS = 8

/** By their numbers, up to this one; and behind them, by the first digits of their digests, those of format 1. */
export const blockLines = (newest: number): readonly BlockLine[] => [
  {
    from: 0,
    to: newest + 1,
    keyAt: (at) => PREFIX.block + padded(at),
    placeOf: (_, number) => number,
  },
  {
    from: Number.parseInt(padded(newest).slice(0, PLACE_DIGITS), 16) + 1,
    to: 16 ** PLACE_DIGITS,
    keyAt: (at) =>
      at < 16 ** PLACE_DIGITS
        ? PREFIX.block + at.toString(16).padStart(PLACE_DIGITS, '0')
        : rangeOf(PREFIX.block).lt,
    placeOf: (digest, number) =>
      number === undefined ? Number.parseInt(digest.slice(0, PLACE_DIGITS), 16) : undefined,
  },
]

/** What follows the prefix. */
export const nameIn = (prefix: string, key: string): string => key.slice(prefix.length)

/** Bounds of all keys with this prefix: `0` is the character after `/`. */
export const rangeOf = (prefix: string): { readonly gte: string; readonly lt: string } => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}0`,
})
