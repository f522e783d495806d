/**
 * A publisher is told `done` when the seed it uploaded to and one more hold the whole release durably. The second
 * seed is asked by the very question publishers ask (`await`): it pulls the release and answers once it is whole. Where
 * one is slow others are asked beside it: the first that holds it counts.
 */
import { LIMITS, type Limits } from '../../limits.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import type { PublishReply } from '../../model/messages.ts'
import type { Release } from '../../model/release.ts'
import type { TrustRoot } from '../../model/root.ts'
import type { RequestId } from '../events.ts'
import { hostOf } from '../hosts.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import { isAdmitted, type Session, storesChannel } from '../session.ts'
import type { Step } from '../step.ts'
import {
  type Accepted,
  answer,
  equivocation,
  heldHere,
  NOTHING_LACKS,
  type Refusal,
  ranked,
  refusedBy,
  STALE_EPOCH,
} from './answers.ts'
import { namedFirst } from './named-seeds.ts'
import { isOfEnded, type Upload } from './upload.ts'

/** Of one peer, or of one host of strangers, for one release: whoever asks has one question out, and one more once it dialled anew. */
export const MAX_AWAITS_OF_ONE = 2

/** Seeds asked at once for one release. They come one after another, so that all are asked in the time that a small one has. */
export const MAX_ASKED = 3

interface Pending {
  /** Who brought it. */
  readonly publisher: PeerId
  readonly header: Release['header']
  readonly verdict: Accepted
  readonly holders: Set<PeerId>
  readonly tried: Set<PeerId>
  readonly deadlineMonoMs: number
  /** Without an answer yet, or to be asked in its turn. */
  readonly asked: Set<PeerId>
  /** From when on they may be asked again: they may be fetching it, and keep a question shorter or longer than this seed. */
  readonly again: Map<PeerId, number>
  /** Then one more is asked. */
  anotherMonoMs: number
}

/** A seed to be asked, once it has a place for the question. */
interface Turn {
  readonly release: ReleaseId
  readonly pending: Pending
  readonly peer: PeerId
}

interface Asked extends Turn {
  readonly atMonoMs: number
}

/** Who waits for a release. */
interface Asker {
  readonly id: RequestId
  readonly peer: PeerId
  /** Its host where it is a stranger. */
  readonly whose: string
}

/** By peer where it is admitted, else by address: peer ids cost nothing. */
export const whose = (session: Session): string =>
  isAdmitted(session) ? session.peer : hostOf(session.address)

interface Awaiter extends Asker {
  readonly untilMonoMs: number
}

/** A longer one of this seed's own is not for others to wait for: they give up an answer after so long that they know of. */
export const keptMs = ({ awaitMs }: Limits): number => Math.min(awaitMs, LIMITS.awaitMs)

/** “Not yet” of others comes after the built-in time, whatever is set here: one that says so at once would be asked in a circle. */
const isPatient = ({ now }: Step, { atMonoMs }: Asked): boolean => now.monoMs - atMonoMs >= LIMITS.awaitMs / 2

const isAdmittedPeer = (one: Asker): boolean => one.whose === one.peer

const isHere = (step: Step, journey: Journey, release: ReleaseId): PublishReply => {
  const refusal = equivocation(journey, release)
  return refusal === undefined ? heldHere(step.config, journey, release) : refusedBy(refusal)
}

const LOST: Refusal = {
  code: 'CONTENT_GONE',
  text: 'this seed lost a block of it before a second one had it; publish again',
}

/** That it equivocates is said by a seed that has all of it. */
const isHeldBy = (reply: PublishReply): boolean =>
  reply.type === 'done' || (reply.type === 'refused' && reply.code === 'ORDER_EQUIVOCATION')

/** By a newer one: no second seed pulls it any more. */
function isReplaced(journey: Journey, release: ReleaseId, { header }: Pending): boolean {
  const facts = journey.channel(header.channel)
  if (facts === undefined || facts.floor.ids.includes(release)) return false
  return facts.heads.every(({ id }) => id !== release)
}

export class Acknowledge {
  readonly #pending = new Map<ReleaseId, Pending>()
  /** Under way, of releases that have been answered since as well: each has a stream, and a peer takes few. */
  readonly #asked = new Map<RequestId, Asked>()
  /** In the order in which they are asked: in the line of the transport their time would run. */
  #turns: readonly Turn[] = []
  readonly #awaiters = new Map<ReleaseId, Awaiter[]>()
  /** Final answers, as they were given. */
  readonly #answered: LatestMap<ReleaseId, PublishReply>

  constructor({ maxAnswered }: Pick<Limits, 'maxAnswered'>) {
    this.#answered = new LatestMap(maxAnswered)
  }

  /** The release is durable here: name it to one more seed. */
  begin(
    step: Step,
    journey: Journey,
    { release: { id: release, header }, peer: publisher }: Pick<Upload, 'release' | 'peer'>,
    verdict: Accepted,
  ): void {
    const { acknowledgeMs, acknowledgeMsPerMib } = step.config.limits
    const allowedMs = acknowledgeMs + Math.ceil((header.bytes / 2 ** 20) * acknowledgeMsPerMib)
    const pending: Pending = {
      publisher,
      header,
      verdict,
      holders: new Set([step.config.self]),
      tried: new Set(),
      deadlineMonoMs: step.now.monoMs + allowedMs,
      asked: new Set(),
      again: new Map(),
      anotherMonoMs: 0,
    }
    this.#pending.set(release, pending)
    this.#tellSeeds(step, journey, release)
    step.wakeAt(pending.deadlineMonoMs)
    this.#askOne(step, journey, release, pending)
  }

  /**
   * False: too many ask for this release already. One place more is for whoever brings it.
   * @param upload where it is still being brought
   */
  wait(step: Step, release: ReleaseId, asker: Asker, upload: Pick<Upload, 'peer'> | undefined): boolean {
    const { peer } = asker
    const awaiters = this.#awaiters.get(release) ?? []
    const isPublisher = peer === (upload?.peer ?? this.#pending.get(release)?.publisher)
    const hasNone = isPublisher && awaiters.every((one) => one.peer !== peer)
    const ofOne = awaiters.filter((one) => one.whose === asker.whose).length
    const isFull = ofOne >= MAX_AWAITS_OF_ONE || awaiters.length >= step.config.limits.maxAwaits
    if (isFull && !hasNone) return false
    const untilMonoMs = step.now.monoMs + keptMs(step.config.limits)
    this.#awaiters.set(release, [...awaiters, { ...asker, untilMonoMs }])
    step.wakeAt(untilMonoMs)
    return true
  }

  /** Its answers would reach nobody, and the places are for it again once it has dialled anew. */
  onDisconnected(peer: PeerId): void {
    for (const [release, awaiters] of this.#awaiters)
      this.#leave(
        release,
        awaiters.filter((one) => one.peer !== peer),
      )
  }

  /** Of a release that is not under way: the final answer, as it ranks by now, or that it is here. */
  answered(step: Step, journey: Journey, release: ReleaseId): PublishReply | undefined {
    const answered = this.#answered.get(release)
    if (answered?.type === 'done') return { ...answered, verdict: ranked(journey, release, answered.verdict) }
    return answered ?? (journey.isWhole(release) ? heldHere(step.config, journey, release) : undefined)
  }

  isPending(release: ReleaseId): boolean {
    return this.#pending.has(release)
  }

  /** To whoever brings again what is whole here: all who hold it by the last answer, or to await that with the one before. */
  again(step: Step, journey: Journey, release: ReleaseId): PublishReply {
    if (this.#pending.has(release)) return NOTHING_LACKS
    const held = heldHere(step.config, journey, release)
    const answered = this.#answered.get(release)
    return answered?.type === 'done' ? { ...answered, verdict: held.verdict } : held
  }

  /** The upload ended in vain: whoever waits hears why. Submitting the same again starts afresh. */
  refused(step: Step, release: ReleaseId, refusal: Refusal): void {
    // For good, though what had come of it may stay whole here for a moment.
    if (refusal.code === 'ORDER_STALE_EPOCH') this.#answered.set(release, refusedBy(refusal))
    this.#tell(step, release, refusedBy(refusal))
  }

  /** Submitted again: what was answered before no longer counts. */
  forget(release: ReleaseId): void {
    this.#answered.delete(release)
  }

  /** Pulled here for another seed, or fetched meanwhile. */
  onWhole(step: Step, journey: Journey, release: ReleaseId): void {
    if (!this.#awaiters.has(release)) return
    if (this.#pending.has(release)) this.#tellSeeds(step, journey, release)
    else this.#tell(step, release, isHere(step, journey, release))
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: PublishReply): boolean {
    const asked = this.#asked.get(id)
    if (asked === undefined) return false
    if (this.#ends(id, asked)) this.#heard(step, journey, asked, reply)
    this.#askInTurn(step)
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId): boolean {
    const asked = this.#asked.get(id)
    if (asked === undefined) return false
    if (this.#ends(id, asked)) {
      // It keeps the question for longer than this seed waits; what failed at once would fail again.
      const longMs = Math.min(LIMITS.awaitMs, (2 * step.config.limits.publishDeadlineMs) / 3)
      const isKept = step.now.monoMs - asked.atMonoMs >= longMs
      if (isKept) this.#askLater(step, journey, asked)
      else this.#askOne(step, journey, asked.release, asked.pending)
    }
    this.#askInTurn(step)
    return true
  }

  /** What is ordered no longer is no success, also where this seed still has all of it. */
  onRoot(step: Step, root: TrustRoot): void {
    for (const [release, { header }] of this.#pending) {
      if (!isOfEnded(header, root)) continue
      this.#pending.delete(release)
      this.refused(step, release, STALE_EPOCH)
    }
  }

  onTick(step: Step, journey: Journey): void {
    const now = step.now.monoMs
    for (const [release, pending] of this.#pending) {
      if (pending.deadlineMonoMs <= now || isReplaced(journey, release, pending))
        this.#settle(step, journey, release, pending)
      else {
        if (pending.anotherMonoMs <= now) this.#askOne(step, journey, release, pending)
        step.wakeAt(Math.min(pending.deadlineMonoMs, pending.anotherMonoMs))
      }
    }
    this.#askInTurn(step)
    for (const [release, awaiters] of this.#awaiters) {
      const due = awaiters.filter(({ untilMonoMs }) => untilMonoMs <= now)
      for (const { id } of due) answer(step, id, { type: 'noted' })
      const left = awaiters.filter(({ untilMonoMs }) => untilMonoMs > now)
      for (const { untilMonoMs } of left) step.wakeAt(untilMonoMs)
      this.#leave(release, left)
    }
  }

  #leave(release: ReleaseId, awaiters: Awaiter[]): void {
    if (awaiters.length === 0) this.#awaiters.delete(release)
    else this.#awaiters.set(release, awaiters)
  }

  #heard(step: Step, journey: Journey, asked: Asked, reply: PublishReply): void {
    const { release, pending, peer } = asked
    if (isHeldBy(reply)) {
      pending.holders.add(peer)
      this.#settle(step, journey, release, pending)
    } else if (reply.type !== 'noted') this.#askOne(step, journey, release, pending)
    else if (isPatient(step, asked)) this.#ask(release, pending, peer)
    else this.#askLater(step, journey, asked)
  }

  /** Others are asked meanwhile: it may be fetching all the same, and it is no fault that its limits are others. */
  #askLater(step: Step, journey: Journey, { release, pending, peer, atMonoMs }: Asked): void {
    pending.again.set(peer, atMonoMs + LIMITS.awaitMs / 2)
    this.#askOne(step, journey, release, pending)
  }

  /** False: nobody waits for its answer any more. */
  #ends(id: RequestId, { release, pending, peer }: Asked): boolean {
    this.#asked.delete(id)
    return this.#pending.get(release) === pending && pending.asked.delete(peer)
  }

  /** One stream is left for what cannot wait: each of these may stand for as long as a seed keeps a question. */
  #hasPlace({ config }: Step, peer: PeerId): boolean {
    const mine = [...this.#asked.values()].filter((one) => one.peer === peer).length
    return mine < Math.max(1, config.limits.maxStreams.publish - 1)
  }

  /**
   * One more seed not tried yet, beside those that have not answered: it fetches what it stores anyway, and may have had
   * this for long; else one that may be asked again. Without one, an answer once no other is asked, or will be.
   */
  #askOne(step: Step, journey: Journey, release: ReleaseId, pending: Pending): void {
    const later = [...pending.again.values()].filter((fromMonoMs) => fromMonoMs > step.now.monoMs)
    const anotherMonoMs = step.now.monoMs + step.config.limits.acknowledgeMs / MAX_ASKED
    pending.anotherMonoMs = Math.min(anotherMonoMs, ...later)
    step.wakeAt(pending.anotherMonoMs)
    if (pending.asked.size === MAX_ASKED) return
    const seeds = [...journey.admitted()]
      // One that does not store the channel would keep the question as long as it may, and never hold the release.
      .filter(({ hello }) => hello.submit && storesChannel(hello.patterns, pending.header.channel))
      .filter(({ peer }) => peer !== step.config.self)
      .map(({ peer }) => peer)
    const again = seeds.filter((peer) => pending.again.has(peer))
    const { named, others } = namedFirst(
      step.config,
      seeds.filter((peer) => !pending.tried.has(peer)),
    )
    // Who only says that it is a seed would be the first to say that it holds this, too.
    const isNamed = named.length > 0 || namedFirst(step.config, [...pending.asked, ...again]).named.length > 0
    const untried = isNamed ? named : others
    const due = again.filter((peer) => (pending.again.get(peer) ?? 0) <= step.now.monoMs)
    const from = untried.length > 0 ? untried : due
    const free = from.filter((peer) => this.#hasPlace(step, peer))
    const among = free.length > 0 ? free : from
    const seed = among[Math.floor(step.config.random() * among.length)]
    if (seed !== undefined) this.#ask(release, pending, seed)
    else if (pending.asked.size === 0 && again.length === 0) this.#settle(step, journey, release, pending)
    this.#askInTurn(step)
  }

  /** Behind all that wait for that seed: what came back with “not yet” gives its turn to the next. */
  #ask(release: ReleaseId, pending: Pending, peer: PeerId): void {
    pending.tried.add(peer)
    pending.again.delete(peer)
    pending.asked.add(peer)
    this.#turns = [...this.#turns, { release, pending, peer }]
  }

  #askInTurn(step: Step): void {
    const { limits } = step.config
    this.#turns = this.#turns.filter((turn) => {
      const { release, pending, peer } = turn
      if (this.#pending.get(release) !== pending) return false
      if (!this.#hasPlace(step, peer)) return true
      const id = step.nextRequest()
      this.#asked.set(id, { ...turn, atMonoMs: step.now.monoMs })
      const request = { protocol: 'publish', message: { type: 'await', release } } as const
      step.emit({ kind: 'request', id, peer, request, timeoutMs: limits.publishDeadlineMs })
      return false
    })
  }

  #settle(step: Step, journey: Journey, release: ReleaseId, pending: Pending): void {
    this.#pending.delete(release)
    // A block of it may have been lost since: then others may hold it, and this seed does not.
    const isLost = !journey.isWhole(release) && journey.envelope(release) !== undefined
    if (isLost) pending.holders.delete(step.config.self)
    const acknowledgedBy = [...pending.holders].sort()
    const done = { type: 'done', verdict: ranked(journey, release, pending.verdict), acknowledgedBy } as const
    const refusal = acknowledgedBy.length === 0 ? LOST : equivocation(journey, release)
    const reply = refusal === undefined ? done : refusedBy(refusal)
    this.#answered.set(release, reply)
    this.#tell(step, release, reply, isLost ? (one) => !isAdmittedPeer(one) : undefined)
  }

  /** Only the publisher waits for a second one: of two seeds that have it neither waits for the other's word. */
  #tellSeeds(step: Step, journey: Journey, release: ReleaseId): void {
    const publisher = this.#pending.get(release)?.publisher
    const isSeed = (one: Asker) => isAdmittedPeer(one) && one.peer !== publisher
    this.#tell(step, release, isHere(step, journey, release), isSeed)
  }

  #tell(step: Step, release: ReleaseId, reply: PublishReply, whom = (_: Asker): boolean => true): void {
    const awaiters = this.#awaiters.get(release) ?? []
    for (const one of awaiters) if (whom(one)) answer(step, one.id, reply)
    this.#leave(
      release,
      awaiters.filter((one) => !whom(one)),
    )
  }
}
