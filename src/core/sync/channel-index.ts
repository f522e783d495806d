/**
 * What is known of every stored channel, hashed once for each change, and grouped for each set of patterns that peers have.
 * Comparing what has not changed reads nothing of the channels, though each peer may have a set of its own: the digests of
 * as many sets are kept as there may be neighbours. Rows take room for each channel: those of a few are.
 */
import { sha256 } from '../../codec/digest.ts'
import type { Channel, Digest, Pattern } from '../../model/ids.ts'
import type { ShortDigest } from '../../model/messages.ts'
import type { ChannelHashes } from '../channel-hashes.ts'
import type { CoreConfig } from '../config.ts'
import type { ChannelFacts, Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import { EVERYTHING, storesChannel } from '../session.ts'
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

/**
 * Sets of patterns whose rows are kept: most peers share one, and a peer may name any; the one used longest ago goes, and a
 * bucket of it that changes, or differs, is read again.
 */
export const MAX_VIEWS = 16
const utf8 = new TextEncoder()
/** Every channel is looked at again so often, should a change not have been told. */
const RESCAN_MS = 60_000

interface Known {
  readonly facts: Pick<ChannelFacts, 'floor' | 'heads'>
  readonly lost: boolean
  readonly row: Row | undefined
}

/** Of a bucket, all that is needed of it where nothing differs. */
interface Group {
  readonly size: number
  readonly digest: ReturnType<typeof groupDigest>
}

export interface PatternSet {
  readonly patterns: readonly Pattern[]
  /** By bucket, as long as nothing in it changes. */
  readonly groups: Map<number, Group>
}

export class SyncIndex {
  readonly #hashes: ChannelHashes
  readonly #known = new Map<Channel, Known>()
  readonly #rows = new GroupedRows()
  readonly #sets: LatestMap<Digest, PatternSet>
  readonly #changed = new Set<Channel>()
  #rescanMonoMs = Number.NEGATIVE_INFINITY

  constructor(hashes: ChannelHashes, { submit, limits }: Pick<CoreConfig, 'submit' | 'limits'>) {
    this.#hashes = hashes
    this.#sets = new LatestMap(submit ? limits.seedDegree : limits.gatewayDegree)
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
    const key = sha256(utf8.encode(patterns.join('\n'))) // as text it may be as long as the patterns
    const set = this.#sets.get(key) ?? { patterns, groups: new Map() }
    this.#sets.set(key, set)
    return new SyncView(set, this.#rows)
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
    const made = text === undefined ? undefined : rowOf(channel, this.#hashes.of(channel), text)
    const row = made?.digest === known?.row?.digest ? known?.row : made
    this.#known.set(channel, { facts: { floor, heads }, lost, row })
    if (row !== known?.row) this.#replace(channel, known?.row, row)
  }

  #replace(channel: Channel, before: Row | undefined, after: Row | undefined): void {
    const bucket = bucketOf(this.#hashes.of(channel))
    this.#rows.replace(bucket, before, after)
    for (const set of this.#sets.values()) {
      if (!storesChannel(set.patterns, channel)) continue
      set.groups.delete(bucket)
      this.#rows.forget(set, bucket)
    }
  }
}

/** Rows by bucket, ascending by hash: of all channels, and of the sets of patterns whose rows were asked for last. */
export class GroupedRows {
  readonly #all: (readonly Row[])[] = Array.from({ length: BUCKETS }, () => [])
  readonly #unsorted = new Set<number>()
  readonly #ofSets = new LatestMap<PatternSet, Map<number, readonly Row[]>>(MAX_VIEWS)

  of(set: PatternSet, bucket: number): readonly Row[] {
    if (set.patterns.includes(EVERYTHING)) return this.#sorted(bucket)
    const ofSet = this.#ofSets.get(set) ?? new Map<number, readonly Row[]>()
    this.#ofSets.set(set, ofSet)
    const rows =
      ofSet.get(bucket) ?? this.#sorted(bucket).filter(({ channel }) => storesChannel(set.patterns, channel))
    ofSet.set(bucket, rows)
    return rows
  }

  replace(bucket: number, before: Row | undefined, after: Row | undefined): void {
    const others = (this.#all[bucket] ?? []).filter((row) => row !== before)
    this.#all[bucket] = after === undefined ? others : [...others, after]
    this.#unsorted.add(bucket)
  }

  forget(set: PatternSet, bucket: number): void {
    this.#ofSets.get(set)?.delete(bucket)
  }

  /** Thousands may change before any is asked for. */
  #sorted(bucket: number): readonly Row[] {
    const rows = this.#all[bucket] ?? []
    if (!this.#unsorted.delete(bucket)) return rows
    const sorted = rows.toSorted((a, b) => (a.hash < b.hash ? -1 : 1))
    this.#all[bucket] = sorted
    return sorted
  }
}

/** Channels that a set of patterns matches. */
export class SyncView {
  readonly #set: PatternSet
  readonly #rows: GroupedRows

  constructor(set: PatternSet, rows: GroupedRows) {
    this.#set = set
    this.#rows = rows
  }

  get size(): number {
    let size = 0
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) size += this.#groupOf(bucket).size
    return size
  }

  rowsOf(bucket: number): readonly Row[] {
    return this.#rows.of(this.#set, bucket)
  }

  *rows(): Iterable<Row> {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) yield* this.rowsOf(bucket)
  }

  /** One digest over everything, and the 64 it is made of. */
  digests(salt: Uint8Array): { readonly digest: ShortDigest; readonly buckets: readonly ShortDigest[] } {
    const buckets = Array.from({ length: BUCKETS }, (_, at) => keyed(salt, this.#groupOf(at).digest))
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

  #groupOf(bucket: number): Group {
    const known = this.#set.groups.get(bucket)
    if (known !== undefined) return known
    const rows = this.rowsOf(bucket)
    const group = { size: rows.length, digest: groupDigest(rows) }
    this.#set.groups.set(bucket, group)
    return group
  }
}
