/**
 * Two-level digests over channels: 64 buckets, each of 2^k sub-buckets of about five channels. Equal nodes exchange
 * 65 short digests and are done; otherwise two round trips find every difference. Chosen by measurement against
 * lists, trees, ranges and invertible tables: it is the one that needs two round trips and little code.
 *
 * What is known of a channel is hashed whole, once for each change; of a group of channels, those hashes are hashed.
 * Only the last step is short, and keyed by a salt of the connection, so that nobody can search for names that collide
 * in it, and a comparison of what has not changed costs one hash for each bucket.
 */
import { sha256 } from '../../codec/digest.ts'
import type { ChannelHash } from '../../model/beacon.ts'
import type { Channel, Digest, ReleaseId } from '../../model/ids.ts'
import type { ShortDigest, ShortHash, SyncEntry } from '../../model/messages.ts'
import type { Release } from '../../model/release.ts'
import type { ChannelFacts } from '../journey.ts'

export const BUCKETS = 64
const BUCKET_BITS = 6
const CHANNELS_PER_SUB = 5
/** 20,000 channels make 64 of them; with 64 buckets that is 32 KB, and a message takes 64 KiB. */
const MAX_SUBS = 64

const SHORT_HEX = 16
/** Digest of a group without channels: most groups of a node with few. */
export const NOTHING = '0'.repeat(SHORT_HEX) as ShortDigest
const utf8 = new TextEncoder()

function short(salt: Uint8Array, text: string): ShortDigest {
  const body = utf8.encode(text)
  const bytes = new Uint8Array(salt.length + body.length)
  bytes.set(salt)
  bytes.set(body, salt.length)
  // Copied, since a slice keeps all 64 digits, and one is kept for each channel and peer.
  return Buffer.from(sha256(bytes).slice(0, SHORT_HEX), 'latin1').toString('latin1') as ShortDigest
}

/** The other publishers' heads: counter and id, or `two` where a publisher has two of its greatest counter. */
function otherHeads(heads: readonly Release[], target: ReleaseId): string[] {
  const own = heads.find((head) => head.id === target)?.header.publisher
  const lines = new Map<string, string>()
  for (const { id, counter, header } of heads) {
    if (header.publisher === own) continue
    const known = lines.has(header.publisher)
    lines.set(header.publisher, `${header.publisher} ${counter} ${known ? 'two' : id}`)
  }
  return [...lines.values()].sort()
}

/** What two nodes compare of a channel; equal text means nothing to tell each other. Undefined: nothing known. */
export function entryText(facts: ChannelFacts, stored: (id: ReleaseId) => boolean): string | undefined {
  const { top, ids } = facts.floor
  if (ids.length === 0) return undefined
  const place = `${top.epoch} ${top.counter} ${top.publisher}`
  if (!ids.every(stored)) return `${place}\nlost`
  const [target] = ids
  if (ids.length > 1 || target === undefined) return `${place}\nheld`
  return [place, target, ...otherHeads(facts.heads, target)].join('\n')
}

/** What is known of one channel. Values, replaced when it changes. */
export interface Row {
  readonly channel: Channel
  readonly hash: ChannelHash
  readonly key: ShortHash
  /** Whole, so that no two texts share it. */
  readonly digest: Digest
}

export const rowOf = (channel: Channel, hash: ChannelHash, text: string): Row => ({
  channel,
  hash,
  key: hash.slice(0, SHORT_HEX) as string as ShortHash,
  digest: sha256(utf8.encode(`${hash}\n${text}`)),
})

/** First bits of a channel hash: the bucket, then the sub-bucket in it. */
const bitsOf = (hash: string): number => Number.parseInt(hash.slice(0, 8), 16)
export const bucketOf = (hash: string): number => bitsOf(hash) >>> (32 - BUCKET_BITS)
/** `bucket * subs + sub`. */
const subBucketOf = (hash: string, subs: number): number =>
  bitsOf(hash) >>> (32 - BUCKET_BITS - (31 - Math.clz32(subs)))

/** 2^⌈log₂(n / 5 / 64)⌉, at least 1. */
export function subsFor(channels: number): number {
  let subs = 1
  while (subs < MAX_SUBS && subs * BUCKETS * CHANNELS_PER_SUB < channels) subs *= 2
  return subs
}

/** Digest of a group of rows ascending by hash; undefined where there are none. */
export const groupDigest = (rows: readonly Row[]): Digest | undefined =>
  rows.length === 0 ? undefined : sha256(utf8.encode(rows.map(({ digest }) => digest).join('')))

/** As it travels. */
export const keyed = (salt: Uint8Array, group: Digest | undefined): ShortDigest =>
  group === undefined ? NOTHING : short(salt, group)

/** One digest over everything. */
export const digestOfAll = (salt: Uint8Array, buckets: readonly ShortDigest[]): ShortDigest =>
  short(salt, buckets.join(''))

/** Rows of one bucket, in its sub-buckets. */
export function bySubBucket(rows: readonly Row[], subs: number): readonly (readonly Row[])[] {
  const groups: Row[][] = Array.from({ length: subs }, () => [])
  for (const row of rows) groups[subBucketOf(row.hash, subs) % subs]?.push(row)
  return groups
}

export const entriesOf = (salt: Uint8Array, rows: readonly Row[]): SyncEntry[] =>
  rows.map(({ key, digest }) => ({ channel: key, entry: keyed(salt, digest) }))

/** A salt of 16 bytes out of the core's own stream of random numbers. */
export const saltFrom = (random: () => number): Uint8Array =>
  Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256))
