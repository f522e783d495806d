/**
 * What is known of every stored channel, hashed once for each change, and grouped once for each set of patterns that
 * peers have. Comparing what has not changed reads nothing of the channels.
 */
import type { Channel, Pattern } from '../../model/ids.ts'
import type { ShortDigest } from '../../model/messages.ts'
import type { ChannelHashes } from '../channel-hashes.ts'
import type { ChannelFacts, Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import { storesChannel } from '../session.ts'
import {
  BUCKETS,
  bucketOf,
  bySubBucket,
  digestOfAll,
  entryText,
  groupDigest,
  keyed,
  type Row,
  rowOf,
} from './digests.ts'

/** Sets of patterns kept grouped: most peers share one, and a peer may name any; the one used longest ago goes. */
export const MAX_VIEWS = 16
/** Every channel is looked at again so often, should a change not have been told. */
const RESCAN_MS = 60_000

interface Known {
  readonly facts: Pick<ChannelFacts, 'floor' | 'heads'>
  readonly lost: boolean
  readonly row: Row | undefined
}

export class SyncIndex {
  readonly #hashes: ChannelHashes
  readonly #known = new Map<Channel, Known>()
  readonly #views = new LatestMap<string, SyncView>(MAX_VIEWS)
  readonly #changed = new Set<Channel>()
  #rescanMonoMs = Number.NEGATIVE_INFINITY

  constructor(hashes: ChannelHashes) {
    this.#hashes = hashes
  }

  /** Something of this channel may have changed. */
  touch(channel: Channel): void {
    this.#changed.add(channel)
  }

  touchAll(): void {
    this.#rescanMonoMs = Number.NEGATIVE_INFINITY
  }

  /** Own channels that a peer with these patterns stores, too. */
  view(journey: Journey, patterns: readonly Pattern[], monoMs: number): SyncView {
    this.#refresh(journey, monoMs)
    const key = patterns.join('\n')
    const view = this.#views.get(key) ?? new SyncView(patterns, this.#rows())
    this.#views.set(key, view)
    return view
  }

  *#rows(): Iterable<Row> {
    for (const { row } of this.#known.values()) if (row !== undefined) yield row
  }

  #refresh(journey: Journey, monoMs: number): void {
    if (monoMs >= this.#rescanMonoMs) {
      this.#rescanMonoMs = monoMs + RESCAN_MS
      for (const facts of journey.channels()) this.#look(journey, facts)
    } else
      for (const channel of this.#changed) {
        const facts = journey.channel(channel)
        if (facts !== undefined) this.#look(journey, facts)
      }
    this.#changed.clear()
  }

  #look(journey: Journey, facts: ChannelFacts): void {
    if (!facts.stored) return
    const { channel, floor, heads } = facts
    const stored = (id: (typeof floor.ids)[number]) => journey.envelope(id) !== undefined
    const known = this.#known.get(channel)
    const lost = !floor.ids.every(stored)
    if (known?.facts.floor === floor && known.facts.heads === heads && known.lost === lost) return
    const text = entryText(facts, stored)
    const row = text === undefined ? undefined : rowOf(channel, this.#hashes.of(channel), text)
    this.#known.set(channel, { facts: { floor, heads }, lost, row })
    if (row?.digest === known?.row?.digest) return
    for (const view of this.#views.values()) view.replace(known?.row, row)
  }
}

/** Rows by bucket, with the digest of each bucket as long as nothing in it changes. */
export class SyncView {
  readonly #patterns: readonly Pattern[]
  readonly #buckets = new Map<number, { rows: readonly Row[]; digest: ReturnType<typeof groupDigest> }>()
  #size = 0

  constructor(patterns: readonly Pattern[], rows: Iterable<Row>) {
    this.#patterns = patterns
    const groups = new Map<number, Row[]>()
    for (const row of rows) {
      if (!storesChannel(patterns, row.channel)) continue
      const at = bucketOf(row.hash)
      const group = groups.get(at)
      if (group === undefined) groups.set(at, [row])
      else group.push(row)
      this.#size += 1
    }
    for (const [at, group] of groups)
      this.#buckets.set(at, { rows: group.sort((a, b) => (a.hash < b.hash ? -1 : 1)), digest: undefined })
  }

  get size(): number {
    return this.#size
  }

  replace(before: Row | undefined, after: Row | undefined): void {
    const row = after ?? before
    if (row === undefined || !storesChannel(this.#patterns, row.channel)) return
    const at = bucketOf(row.hash)
    const others = this.rowsOf(at).filter(({ channel }) => channel !== row.channel)
    const rows = after === undefined ? others : [...others, after].sort((a, b) => (a.hash < b.hash ? -1 : 1))
    this.#size += rows.length - this.rowsOf(at).length
    this.#buckets.set(at, { rows, digest: undefined })
  }

  rowsOf(bucket: number): readonly Row[] {
    return this.#buckets.get(bucket)?.rows ?? []
  }

  *rows(): Iterable<Row> {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) yield* this.rowsOf(bucket)
  }

  /** One digest over everything, and the 64 it is made of. */
  digests(salt: Uint8Array): { readonly digest: ShortDigest; readonly buckets: readonly ShortDigest[] } {
    const buckets = Array.from({ length: BUCKETS }, (_, at) => keyed(salt, this.#digestOf(at)))
    return { digest: digestOfAll(salt, buckets), buckets }
  }

  /** Digests of the sub-buckets of these buckets, `subs` for each in turn. */
  subDigests(salt: Uint8Array, buckets: readonly number[], subs: number): readonly ShortDigest[] {
    return buckets.flatMap((bucket) =>
      bySubBucket(this.rowsOf(bucket), subs).map((rows) => keyed(salt, groupDigest(rows))),
    )
  }

  /** Rows of each of these sub-buckets. */
  rowsIn(subBuckets: readonly number[], subs: number): readonly (readonly Row[])[] {
    const groups = new Map<number, readonly (readonly Row[])[]>()
    return subBuckets.map((subBucket) => {
      const bucket = Math.floor(subBucket / subs)
      const group = groups.get(bucket) ?? bySubBucket(this.rowsOf(bucket), subs)
      groups.set(bucket, group)
      return group[subBucket % subs] ?? []
    })
  }

  #digestOf(bucket: number): ReturnType<typeof groupDigest> {
    const known = this.#buckets.get(bucket)
    if (known === undefined) return undefined
    known.digest ??= groupDigest(known.rows)
    return known.digest
  }
}
