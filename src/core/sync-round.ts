/**
 * The asking side of one comparison with one peer: roots, beacons, digests, entries, then what the other lacks. A
 * round has one request out at a time and ends with the first that gets no answer.
 */
import type { ChannelHash } from '../model/beacon.ts'
import type { PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, BeaconMark, SyncReply } from '../model/messages.ts'
import type { ChannelHashes } from './channel-hashes.ts'
import type { RequestId } from './events.ts'
import type { Journey } from './journey.ts'
import type { RootBudget } from './root-run.ts'
import { RootRun } from './root-run.ts'
import type { Step } from './step.ts'
import {
  bucketDigests,
  bySubBucket,
  entriesOf,
  isSubs,
  type Row,
  subDigests,
  type Table,
} from './sync-digests.ts'
import {
  askSync,
  type BeaconBook,
  compareWith,
  intoMessages,
  messageBudget,
  releasesOf,
  type SyncPeer,
} from './sync-peer.ts'

type Said<T extends SyncReply['type']> = Extract<SyncReply, { readonly type: T }>

/** `going`: a request is out. `done`: compared. `broken`: the peer answered out of turn. `refused`: not now. */
export type RoundState = 'going' | 'done' | 'broken' | 'refused'

const ENTRY_BYTES = 30
const SUB_BUCKET_BYTES = 5

export interface RoundContext {
  readonly hashes: ChannelHashes
  readonly beacons: BeaconBook
  readonly budget: RootBudget
  /** Takes one envelope in; its release's id as soon as it is known. */
  ingest(step: Step, journey: Journey, from: SyncPeer, envelope: Uint8Array): ReleaseId | undefined
}

export class Round {
  readonly with: SyncPeer
  readonly startMonoMs: number
  request: RequestId | undefined
  table: Table
  /** The reply run was about as long as one may be: there is more. */
  again = false
  readonly #context: RoundContext
  #phase: 'digests' | 'roots' | 'beacons' | 'entries' | 'push' = 'digests'
  #run: RootRun | undefined
  #rootsDone = false
  #theirBeacons: readonly BeaconMark[] = []
  #subs = 1
  #pending: number[] = []
  #rows: ReadonlyMap<number, readonly Row[]> = new Map()
  #runBytes = 0
  readonly #received = new Set<ReleaseId>()
  readonly #lacks = new Set<ChannelHash>()
  #pushes: Uint8Array[][] = []

  constructor(step: Step, journey: Journey, peer: SyncPeer, context: RoundContext) {
    this.with = peer
    this.startMonoMs = step.now.monoMs
    this.#context = context
    this.table = { salt: peer.salt, rows: [] }
    this.#askDigests(step, journey)
  }

  get peer(): PeerId {
    return this.with.peer
  }

  take(step: Step, journey: Journey, { protocol, message }: AnyReply): RoundState {
    if (message.type === 'refused')
      return this.#phase === 'roots' ? this.#afterRoots(step, journey) : 'refused'
    if (protocol === 'admit') return this.#takeRoot(step, journey, message)
    if (protocol !== 'sync') return 'broken'
    if (message.type === 'differ' && this.#phase === 'digests')
      return this.#takeDiffer(step, journey, message)
    if (message.type === 'beacons' && this.#phase === 'beacons') {
      for (const envelope of message.beacons) this.#context.beacons.take(step, journey, envelope, this.peer)
      return this.#nextEntries(step, journey)
    }
    if (message.type === 'envelopes' && this.#phase === 'entries')
      return this.#takeRun(step, journey, message)
    if (message.type === 'noted' && this.#phase === 'push') return this.#nextPush(step)
    return 'broken'
  }

  /** No answer. A failed run of roots ends the run, not the round. */
  fail(step: Step, journey: Journey): RoundState {
    return this.#phase === 'roots' ? this.#afterRoots(step, journey) : 'broken'
  }

  #askDigests(step: Step, journey: Journey): void {
    const { hashes, beacons } = this.#context
    this.#phase = 'digests'
    this.table = compareWith(journey, this.with, this.with.salt, hashes)
    const message = {
      type: 'digests',
      salt: this.with.salt,
      root: journey.root().version,
      beacons: beacons.marks(),
      ...bucketDigests(this.table),
    } as const
    this.request = askSync(step, this.peer, message)
  }

  #takeDiffer(step: Step, journey: Journey, said: Said<'differ'>): RoundState {
    const sound = isSubs(said.subs) && said.buckets.every(({ digests }) => digests.length === said.subs)
    if (!sound) return 'broken'
    this.#theirBeacons = said.beacons
    this.#subs = said.subs
    this.#pending = this.#differing(said)
    this.#rows = bySubBucket(this.table, said.subs)
    if (said.root > journey.root().version && !this.#rootsDone) {
      this.#phase = 'roots'
      this.#run = new RootRun(this.peer)
      this.request = this.#run.ask(step, journey)
      return 'going'
    }
    return this.#askBeacons(step, journey)
  }

  #differing({ buckets, subs }: Said<'differ'>): number[] {
    const own = subDigests(
      this.table,
      buckets.map(({ bucket }) => bucket),
      subs,
    )
    return buckets.flatMap(({ bucket, digests }, at) =>
      digests.flatMap((digest, sub) => (own[at]?.digests[sub] === digest ? [] : [bucket * subs + sub])),
    )
  }

  #takeRoot(
    step: Step,
    journey: Journey,
    message: Extract<AnyReply, { protocol: 'admit' }>['message'],
  ): RoundState {
    if (this.#run === undefined) return 'broken'
    const outcome = this.#run.take(step, journey, message, this.#context.budget)
    if (outcome === 'ended') return this.#afterRoots(step, journey)
    this.request = this.#run.ask(step, journey)
    return 'going'
  }

  /** A newer root changes places and epochs, hence every digest: compare anew, once. */
  #afterRoots(step: Step, journey: Journey): RoundState {
    this.#run = undefined
    this.#rootsDone = true
    this.#askDigests(step, journey)
    return 'going'
  }

  #askBeacons(step: Step, journey: Journey): RoundState {
    const have = this.#context.beacons.marks()
    const known = new Map(have.map(({ key, at }) => [key, at]))
    if (!this.#theirBeacons.some(({ key, at }) => at > (known.get(key) ?? 0)))
      return this.#nextEntries(step, journey)
    this.#phase = 'beacons'
    this.request = askSync(step, this.peer, { type: 'beacons', have })
    return 'going'
  }

  /** Own entries of as many differing sub-buckets as one message takes. */
  #nextEntries(step: Step, journey: Journey): RoundState {
    if (this.#pending.length === 0) return this.#startPush(step, journey)
    this.#phase = 'entries'
    this.#runBytes = 0
    const budget = messageBudget(step.config.limits)
    const subBuckets: number[] = []
    const rows: Row[] = []
    let bytes = 0
    for (const subBucket of this.#pending) {
      const own = this.#rows.get(subBucket) ?? []
      bytes += SUB_BUCKET_BYTES + ENTRY_BYTES * own.length
      if (bytes > budget && subBuckets.length > 0) break
      subBuckets.push(subBucket)
      rows.push(...own)
    }
    this.#pending = this.#pending.slice(subBuckets.length)
    const entries = entriesOf(rows)
    this.request = askSync(step, this.peer, { type: 'entries', subBuckets, subs: this.#subs, entries })
    return 'going'
  }

  #takeRun(step: Step, journey: Journey, { envelopes, lacks, more }: Said<'envelopes'>): RoundState {
    const { maxSyncRunBytes, maxSyncMessageBytes } = step.config.limits
    for (const envelope of envelopes) this.#runBytes += envelope.length
    if (this.#runBytes > maxSyncRunBytes) return 'broken'
    for (const envelope of envelopes) {
      const release = this.#context.ingest(step, journey, this.with, envelope)
      if (release !== undefined) this.#received.add(release)
    }
    for (const hash of lacks) this.#lacks.add(hash)
    if (more) return 'going'
    if (this.#runBytes > maxSyncRunBytes - 2 * maxSyncMessageBytes) this.again = true
    return this.#nextEntries(step, journey)
  }

  /** What is on disk of the channels the other lacks, but for what it has just given. */
  #startPush(step: Step, journey: Journey): RoundState {
    const envelopes: Uint8Array[] = []
    for (const { hash, facts: then } of this.table.rows) {
      const facts = this.#lacks.has(hash) ? journey.channel(then.channel) : undefined
      if (facts === undefined || !facts.durable) continue
      for (const release of releasesOf(facts)) {
        const envelope = this.#received.has(release) ? undefined : journey.envelope(release)
        if (envelope !== undefined) envelopes.push(envelope)
      }
    }
    this.#pushes = intoMessages(envelopes, step.config.limits)
    return this.#nextPush(step)
  }

  #nextPush(step: Step): RoundState {
    const envelopes = this.#pushes.shift()
    this.request = undefined
    if (envelopes === undefined) return 'done'
    this.#phase = 'push'
    this.request = askSync(step, this.peer, { type: 'push', envelopes })
    return 'going'
  }
}
