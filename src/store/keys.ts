/**
 * The key layout, in this file alone. Keys are text, so that a dump of the store can be read; numbers in them are
 * padded so that LevelDB's byte order is their order. Every record but a block starts with a checksum over key
 * and body (`records.ts`); a block's key is itself the SHA-256 of its bytes.
 *
 *     meta/format            version of this layout
 *     meta/fleet             the fleet this store belongs to
 *     meta/used              written with the first floor: a store without floors but with this has lost them
 *     root/<version>         root envelope
 *     floor/<channel>        greatest place accepted and the ids there (second copy: floor-files.ts)
 *     channel/<channel>      heads, active, last-known-good, history
 *     envelope/<release>     channel, arrival number, envelope
 *     whole/<release>        every page and block of it was here when this was written
 *     size/<digest>          size of a block: the index, so that start never reads blocks
 *     block/<digest>         a block or a manifest page
 *     beacon/<key>           newest beacon of a freshness key
 *     lease/<release>        a place leased to a publisher
 *     audit/<at>/<number>    by builds before audit-file.ts; moved there at the start
 *     quarantine/<key>       a damaged record as it was found
 */
import type { Channel, Digest, KeyId, ReleaseId } from '../model/ids.ts'

/** Raised whenever an older build could misread what a newer one wrote. */
export const FORMAT = 1

const padded = (number: number): string => String(number).padStart(16, '0')

export const META = 'meta/'
export const FORMAT_KEY = `${META}format`
export const FLEET_KEY = `${META}fleet`
export const USED_KEY = `${META}used`

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
export const blockKey = (digest: Digest): string => PREFIX.block + digest
export const beaconKey = (key: KeyId): string => PREFIX.beacon + key
export const leaseKey = (release: ReleaseId): string => PREFIX.lease + release
export const quarantineKey = (key: string): string => PREFIX.quarantine + key

/** What follows the prefix. */
export const nameIn = (prefix: string, key: string): string => key.slice(prefix.length)

/** Bounds of all keys with this prefix: `0` is the character after `/`. */
export const rangeOf = (prefix: string): { readonly gte: string; readonly lt: string } => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}0`,
})
