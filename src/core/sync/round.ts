/**
 * The asking side of one comparison with one peer: roots, beacons, digests, entries, then what the other lacks. A
 * round has one request out at a time and ends with the first that gets no answer, but for roots.
 */
import { LIMITS } from '../../limits.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import type { AnyReply, BeaconMark, ShortDigest, ShortHash, SyncReply } from '../../model/messages.ts'
import type { RequestId } from '../events.ts'
import type { Journey } from '../journey.ts'
import type { RootBudget } from '../roots/run.ts'
import { RootRun } from '../roots/run.ts'
import type { Step } from '../step.ts'
import type { SyncIndex, SyncView } from './channel-index.ts'
import { bucketOf, entriesOf, NOTHING, type Row } from './digests.ts'
import {
  askSync,
  type BeaconBook,
  intoMessages,
  messageBudget,
  namesNewer,
  releasesOf,
  runBudget,
  type SyncPeer,
} from './peer.ts'

type Said<T extends SyncReply['type']> = Extract<SyncReply, { readonly type: T }>

/** `going`: a request is out. `done`: compared. `broken`: the peer answered out of turn. `refused`: not now. */
export type RoundState = 'going' | 'done' | 'broken' | 'refused'

const ENTRY_BYTES = 16
const SUB_BUCKET_BYTES = 2

/** What became of an envelope. */
export interface Given {
  readonly release?: ReleaseId
  /** Order took it in. */
  readonly isNews: boolean
  /** It was not looked at. */
  readonly isIgnored?: boolean
}

export interface RoundContext {
  readonly index: SyncIndex
  readonly beacons: BeaconBook
  readonly budget: RootBudget
  /** Takes one envelope in; its release's id as soon as it is known. */
  ingest(step: Step, journey: Journey, from: SyncPeer, envelope: Uint8Array): Given
}

export class Round {
  readonly with: SyncPeer
  readonly startMonoMs: number
  request: RequestId | undefined
  /** A reply run was about as long as one may be: there is more. */
  #isCut = false
  #isNews = false
  #isIgnored = false
  readonly #context: RoundContext
  #phase: 'digests' | 'roots' | 'beacons' | 'entries' | 'push' = 'digests'
  #run: RootRun | undefined
  #rootsDone = false
  /** Under which the digests were compared, and of what was known here then. */
  #rootVersion = 0
  #digest: ShortDigest = NOTHING
  #theirBeacons: readonly BeaconMark[] = []
  #subs = 1
  #pending: number[] = []
  #runBytes = 0
  readonly #received = new Set<ReleaseId>()
  readonly #lacks = new Set<ShortHash>()
  #pushes: Uint8Array[][] = []
  #isAsked = false

  constructor(step: Step, journey: Journey, peer: SyncPeer, context: RoundContext) {
    this.with = peer
    this.startMonoMs = step.now.monoMs
    this.#context = context
    this.#askDigests(step, journey)
  }

  get peer(): PeerId {
    return this.with.peer
  }

  /** What both store, as it is known now. */
  view(step: Step, journey: Journey): SyncView {
    return this.#context.index.view(journey, this.with.patterns, step.now.monoMs)
  }

  /** Of what the other offered something was not looked at, or did not come: it counts it as offered all the same. */
  get isIgnored(): boolean {
    return this.#isIgnored
  }

  /** Once it is done: all that the other has to offer was looked at. */
  get isWhole(): boolean {
    return !this.#isCut && !this.#isIgnored
  }

  /**
   * There is more, and the next run is another one: of this something was news, or another peer had brought it meanwhile. Else
   * whoever gives the same long run each time would be compared with without end.
   */
  goesOn(step: Step, journey: Journey): boolean {
    if (!this.#isCut || this.#isNews) return this.#isCut
    return !this.#isIgnored && this.view(step, journey).digests(this.with.salt).digest !== this.#digest
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

  /** The other compares, too: what it lacks comes sooner as a run, for which it asks, than in pushes one by one. */
  asked(): void {
    this.#isAsked = true
    this.#pushes = []
  }

  /** No answer. A failed run of roots ends the run, not the round. */
  fail(step: Step, journey: Journey): RoundState {
    this.#isIgnored ||= this.#phase === 'entries'
    return this.#phase === 'roots' ? this.#afterRoots(step, journey, false) : 'broken'
  }

  #askDigests(step: Step, journey: Journey): void {
    const { beacons } = this.#context
    this.#phase = 'digests'
    this.#rootVersion = journey.root().version
    const digests = this.view(step, journey).digests(this.with.salt)
    this.#digest = digests.digest
    const message = {
      type: 'digests',
      salt: this.with.salt,
      root: this.#rootVersion,
      beacons: beacons.marks(),
      ...digests,
    } as const
    this.request = askSync(step, this.with, message)
  }

  #takeDiffer(step: Step, journey: Journey, said: Said<'differ'>): RoundState {
    if (said.digests.length !== said.buckets.length * said.subs) return 'broken'
    this.with.cameEmpty ||= this.#lacksAll(step, journey, said)
    this.#theirBeacons = said.beacons
    this.#subs = said.subs
    this.#pending = this.#differing(step, journey, said)
    if (said.root > journey.lacksRootAfter() && !this.#rootsDone) {
      this.#phase = 'roots'
      this.#run = new RootRun(this.peer, said.root > journey.root().version ? 'above' : 'hole')
      this.request = this.#run.ask(step, journey)
      return 'going'
    }
    return this.#askBeacons(step, journey)
  }

  /** What both store it has nothing of. */
  #lacksAll(step: Step, journey: Journey, { buckets, digests }: Said<'differ'>): boolean {
    if (digests.some((group) => group !== NOTHING)) return false
    for (const { hash } of this.view(step, journey).rows())
      if (!buckets.includes(bucketOf(hash))) return false
    return true
  }

  #differing(step: Step, journey: Journey, { buckets, subs, digests }: Said<'differ'>): number[] {
    const own = this.view(step, journey).subDigests(this.with.salt, buckets, subs)
    return buckets.flatMap((bucket, at) =>
      Array.from({ length: subs }, (_, sub) => sub).flatMap((sub) =>
        own[at * subs + sub] === digests[at * subs + sub] ? [] : [bucket * subs + sub],
      ),
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

  /** A newer root changes places and epochs, hence every digest. An older one, or none, leaves what was compared right. */
  #afterRoots(step: Step, journey: Journey, answered = true): RoundState {
    this.#run = undefined
    this.#rootsDone = true
    if (answered && journey.root().version === this.#rootVersion) return this.#askBeacons(step, journey)
    this.#askDigests(step, journey)
    return 'going'
  }

  #askBeacons(step: Step, journey: Journey): RoundState {
    const have = this.#context.beacons.marks()
    if (!namesNewer(this.#theirBeacons, have)) return this.#nextEntries(step, journey)
    this.#phase = 'beacons'
    this.request = askSync(step, this.with, { type: 'beacons', have })
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
    const mostOfOne = Math.floor((budget - SUB_BUCKET_BYTES) / ENTRY_BYTES)
    const pending = this.view(step, journey).rowsIn(this.#pending, this.#subs)
    for (const [at, own] of pending.entries()) {
      bytes += SUB_BUCKET_BYTES + ENTRY_BYTES * own.length
      if (bytes > budget && subBuckets.length > 0) break
      subBuckets.push(this.#pending[at] ?? 0)
      // Whoever may publish can choose names that share one. What is not named in it the other takes for lacking here.
      rows.push(...own.slice(0, mostOfOne))
    }
    this.#pending = this.#pending.slice(subBuckets.length)
    const entries = entriesOf(this.with.salt, rows)
    this.request = askSync(step, this.with, { type: 'entries', subBuckets, subs: this.#subs, entries })
    return 'going'
  }

  #takeRun(step: Step, journey: Journey, { envelopes, lacks, more }: Said<'envelopes'>): RoundState {
    const { limits } = step.config
    for (const envelope of envelopes) this.#runBytes += envelope.length
    if (this.#runBytes > limits.maxSyncRunBytes) return 'broken'
    for (const envelope of envelopes) {
      const { release, isNews, isIgnored = false } = this.#context.ingest(step, journey, this.with, envelope)
      if (release !== undefined) this.#received.add(release)
      this.#isNews ||= isNews
      this.#isIgnored ||= isIgnored
    }
    for (const hash of lacks) this.#lacks.add(hash)
    if (more) return 'going'
    // A channel that did not fit waits: a twin or two, of envelopes that may be longer here than a message for all.
    const rest = Math.min(limits.maxSyncMessageBytes, LIMITS.maxSyncMessageBytes + limits.maxEnvelopeBytes)
    this.#isCut ||= this.#runBytes > runBudget(limits) - 2 * rest
    return this.#nextEntries(step, journey)
  }

  /** What is on disk of the channels the other lacks, but for what it has just given. */
  #startPush(step: Step, journey: Journey): RoundState {
    const envelopes: Uint8Array[] = []
    for (const { key, channel } of this.#lacks.size === 0 ? [] : this.view(step, journey).rows()) {
      const facts = this.#lacks.has(key) ? journey.channel(channel) : undefined
      if (facts === undefined) continue
      if (!facts.durable) {
        this.with.unwritten.add(channel)
        continue
      }
      for (const release of releasesOf(facts)) {
        const envelope = this.#received.has(release) ? undefined : journey.envelope(release)
        if (envelope !== undefined) envelopes.push(envelope)
      }
    }
    if (!this.#isAsked) this.#pushes = intoMessages(envelopes, step.config.limits)
    return this.#nextPush(step)
  }

  #nextPush(step: Step): RoundState {
    const envelopes = this.#pushes.shift()
    this.request = undefined
    if (envelopes === undefined) return 'done'
    this.#phase = 'push'
    this.request = askSync(step, this.with, { type: 'push', envelopes })
    return 'going'
  }
}
