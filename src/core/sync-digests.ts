/**
 * Two-level digests over channels: 64 buckets, each of 2^k sub-buckets of about five channels. Equal nodes exchange
 * 65 short digests and are done; otherwise two round trips find every difference. Chosen by measurement against
 * lists, trees, ranges and invertible tables: it is the one that needs two round trips and little code.
 *
 * All digests are keyed by a salt of the connection, so that nobody can search for names that collide in them.
 */
import { sha256 } from '../codec/digest.ts'
import type { ChannelHash } from '../model/beacon.ts'
import type { ShortDigest, SyncEntry } from '../model/messages.ts'
import type { Release } from '../model/release.ts'
import type { ChannelFacts } from './journey.ts'

export const BUCKETS = 64
const BUCKET_BITS = 6
const CHANNELS_PER_SUB = 5
/** 20,000 channels make 64 of them; with 64 buckets that is 37 KB, and a message takes 64 KiB. */
const MAX_SUBS = 64
/** What another build may choose. */
const MAX_TAKEN_SUBS = 1_024

const SHORT_HEX = 16
const utf8 = new TextEncoder()

function short(salt: Uint8Array, text: string): ShortDigest {
  const body = utf8.encode(text)
  const bytes = new Uint8Array(salt.length + body.length)
  bytes.set(salt)
  bytes.set(body, salt.length)
  return sha256(bytes).slice(0, SHORT_HEX) as ShortDigest
}

/** The other publishers' heads: counter and id, or `two` where a publisher has two of its greatest counter. */
function otherHeads(heads: readonly Release[], target: string): string[] {
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
export function entryText(facts: ChannelFacts, stored: (id: string) => boolean): string | undefined {
  const { top, ids } = facts.floor
  if (ids.length === 0) return undefined
  const place = `${top.epoch} ${top.counter} ${top.publisher}`
  if (!ids.every(stored)) return `${place}\nlost`
  const [target] = ids
  if (ids.length > 1 || target === undefined) return `${place}\nheld`
  return [place, target, ...otherHeads(facts.heads, target)].join('\n')
}

export interface Row {
  readonly facts: ChannelFacts
  readonly hash: ChannelHash
  readonly entry: ShortDigest
}

/** Rows ascending by channel hash. */
export type Table = { readonly salt: Uint8Array; readonly rows: readonly Row[] }

export function tableOf(
  salt: Uint8Array,
  channels: Iterable<ChannelFacts>,
  hashOf: (facts: ChannelFacts) => ChannelHash,
  stored: (id: string) => boolean,
): Table {
  const rows: Row[] = []
  for (const facts of channels) {
    const text = entryText(facts, stored)
    if (text === undefined) continue
    const hash = hashOf(facts)
    rows.push({ facts, hash, entry: short(salt, `${hash}\n${text}`) })
  }
  rows.sort((a, b) => (a.hash < b.hash ? -1 : 1))
  return { salt, rows }
}

/** First bits of a channel hash: the bucket, then the sub-bucket in it. */
const bitsOf = (hash: string): number => Number.parseInt(hash.slice(0, 8), 16)
const bucketOf = (hash: string): number => bitsOf(hash) >>> (32 - BUCKET_BITS)
/** `bucket * subs + sub`. */
const subBucketOf = (hash: string, subs: number): number =>
  bitsOf(hash) >>> (32 - BUCKET_BITS - (31 - Math.clz32(subs)))

/** 2^⌈log₂(n / 5 / 64)⌉, at least 1. */
export function subsFor(channels: number): number {
  let subs = 1
  while (subs < MAX_SUBS && subs * BUCKETS * CHANNELS_PER_SUB < channels) subs *= 2
  return subs
}

const isPowerOfTwo = (n: number): boolean => n >= 1 && (n & (n - 1)) === 0
export const isSubs = (subs: number): boolean => subs <= MAX_TAKEN_SUBS && isPowerOfTwo(subs)

function fold(table: Table, groups: number, groupOf: (hash: string) => number): ShortDigest[] {
  const parts: string[][] = Array.from({ length: groups }, () => [])
  for (const { hash, entry } of table.rows) parts[groupOf(hash)]?.push(hash, entry)
  return parts.map((part) => short(table.salt, part.join(' ')))
}

/** One digest over everything, and the 64 it is made of. */
export function bucketDigests(table: Table): {
  readonly digest: ShortDigest
  readonly buckets: readonly ShortDigest[]
} {
  const buckets = fold(table, BUCKETS, bucketOf)
  return { digest: short(table.salt, buckets.join(' ')), buckets }
}

/** Digests of the sub-buckets of every bucket in `wanted`. */
export function subDigests(
  table: Table,
  wanted: readonly number[],
  subs: number,
): { readonly bucket: number; readonly digests: readonly ShortDigest[] }[] {
  const all = fold(table, BUCKETS * subs, (hash) => subBucketOf(hash, subs))
  return wanted.map((bucket) => ({ bucket, digests: all.slice(bucket * subs, (bucket + 1) * subs) }))
}

/** Rows by sub-bucket. */
export function bySubBucket(table: Table, subs: number): ReadonlyMap<number, readonly Row[]> {
  const groups = new Map<number, Row[]>()
  for (const row of table.rows) {
    const at = subBucketOf(row.hash, subs)
    const group = groups.get(at)
    if (group === undefined) groups.set(at, [row])
    else group.push(row)
  }
  return groups
}

/** Rows of these sub-buckets. */
export const rowsIn = (table: Table, subBuckets: ReadonlySet<number>, subs: number): Row[] =>
  table.rows.filter(({ hash }) => subBuckets.has(subBucketOf(hash, subs)))

export const entriesOf = (rows: readonly Row[]): SyncEntry[] =>
  rows.map(({ hash, entry }) => ({ channel: hash, entry }))

/** A salt of 16 bytes out of the core's own stream of random numbers. */
export const saltFrom = (random: () => number): Uint8Array =>
  Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256))

/** Salts of a sensible length only. */
export const isSalt = (salt: Uint8Array): boolean => salt.length >= 8 && salt.length <= 32
