/**
 * A publisher is told `done` when the seed it uploaded to and one more hold the whole release durably. The second
 * seed is asked by the very question publishers ask (`await`): it pulls the release and answers once it is whole.
 */
import type { Limits } from '../../limits.ts'
import type { Channel, PeerId, ReleaseId } from '../../model/ids.ts'
import type { PublishReply } from '../../model/messages.ts'
import type { RequestId } from '../events.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import type { Step } from '../step.ts'
import { answer, equivocation, heldHere, NOTHING_LACKS, type Refusal, refusedBy } from './answers.ts'
import { namedFirst } from './named-seeds.ts'
import type { Upload } from './upload.ts'

type Accepted = 'NEW' | 'CONCURRENT' | 'DUPLICATE'

/** Of one peer, or of one host of strangers, for one release: whoever asks has one question out, and one more once it dialled anew. */
export const MAX_AWAITS_OF_ONE = 2

interface Pending {
  /** Who brought it. */
  readonly publisher: PeerId
  readonly channel: Channel
  readonly verdict: Accepted
  readonly holders: Set<PeerId>
  readonly tried: Set<PeerId>
  readonly deadlineMonoMs: number
  request: RequestId | undefined
  askedMonoMs: number
}

/** Who waits for a release. */
interface Asker {
  readonly id: RequestId
  readonly peer: PeerId
  /** Its host where it is a stranger. */
  readonly whose: string
}

interface Awaiter extends Asker {
  readonly untilMonoMs: number
}

/** “Not yet” comes after `awaitMs`: a seed that says so at once would be asked in a circle. */
const isPatient = ({ now, config }: Step, { askedMonoMs }: Pending): boolean =>
  now.monoMs - askedMonoMs >= config.limits.awaitMs / 2

/** That it equivocates is said by a seed that has all of it. */
const isHeldBy = (reply: PublishReply): boolean =>
  reply.type === 'done' || (reply.type === 'refused' && reply.code === 'ORDER_EQUIVOCATION')

/** By a newer one: no second seed pulls it any more. */
function isReplaced(journey: Journey, release: ReleaseId, { channel }: Pending): boolean {
  const facts = journey.channel(channel)
  if (facts === undefined || facts.floor.ids.includes(release)) return false
  return facts.heads.every(({ id }) => id !== release)
}

export class Acknowledge {
  readonly #pending = new Map<ReleaseId, Pending>()
  readonly #awaiters = new Map<ReleaseId, Awaiter[]>()
  /** Final answers. */
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
    const { channel, bytes } = header
    const { acknowledgeMs, acknowledgeMsPerMib } = step.config.limits
    const allowedMs = acknowledgeMs + Math.ceil((bytes / 2 ** 20) * acknowledgeMsPerMib)
    const pending: Pending = {
      publisher,
      channel,
      verdict,
      holders: new Set([step.config.self]),
      tried: new Set(),
      deadlineMonoMs: step.now.monoMs + allowedMs,
      request: undefined,
      askedMonoMs: 0,
    }
    this.#pending.set(release, pending)
    step.wakeAt(pending.deadlineMonoMs)
    this.#askOne(step, journey, release, pending)
  }

  /**
   * False: too many ask for this release already. One place more is for whoever brings it.
   * @param upload where it is still being brought
   */
  wait(step: Step, release: ReleaseId, asker: Asker, upload: Pick<Upload, 'peer'> | undefined): boolean {
    const { id, peer, whose } = asker
    const answered = this.#answered.get(release)
    if (answered !== undefined) {
      answer(step, id, answered)
      return true
    }
    const awaiters = this.#awaiters.get(release) ?? []
    const isPublisher = peer === (upload?.peer ?? this.#pending.get(release)?.publisher)
    const hasNone = isPublisher && awaiters.every((one) => one.peer !== peer)
    const ofOne = awaiters.filter((one) => one.whose === whose).length
    const isFull = ofOne >= MAX_AWAITS_OF_ONE || awaiters.length >= step.config.limits.maxAwaits
    if (isFull && !hasNone) return false
    const untilMonoMs = step.now.monoMs + step.config.limits.awaitMs
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

  answered(release: ReleaseId): boolean {
    return this.#answered.has(release)
  }

  isPending(release: ReleaseId): boolean {
    return this.#pending.has(release)
  }

  /** To whoever brings again what is whole here: all who hold it by the last answer, or to await that with the one before. */
  again(step: Step, release: ReleaseId): PublishReply {
    if (this.#pending.has(release)) return NOTHING_LACKS
    const answered = this.#answered.get(release)
    return answered?.type === 'done' ? { ...answered, verdict: 'DUPLICATE' } : heldHere(step.config)
  }

  /** The upload ended in vain: whoever waits hears why. Submitting the same again starts afresh. */
  refused(step: Step, release: ReleaseId, refusal: Refusal): void {
    this.#tell(step, release, refusedBy(refusal))
  }

  /** Submitted again: what was answered before no longer counts. */
  forget(release: ReleaseId): void {
    this.#answered.delete(release)
  }

  /** Pulled here for another seed, or fetched meanwhile. */
  onWhole(step: Step, journey: Journey, release: ReleaseId): void {
    if (this.#pending.has(release) || !this.#awaiters.has(release)) return
    const refusal = equivocation(journey, release)
    this.#tell(step, release, refusal === undefined ? heldHere(step.config) : refusedBy(refusal))
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: PublishReply): boolean {
    const found = this.#ofRequest(id)
    if (found === undefined) return false
    const [release, pending] = found
    const asked = [...pending.tried].at(-1)
    pending.request = undefined
    if (isHeldBy(reply) && asked !== undefined) {
      pending.holders.add(asked)
      this.#settle(step, journey, release, pending)
    } else if (reply.type === 'noted' && asked !== undefined && isPatient(step, pending))
      this.#ask(step, release, pending, asked)
    else this.#askOne(step, journey, release, pending)
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId): boolean {
    const found = this.#ofRequest(id)
    if (found === undefined) return false
    const [release, pending] = found
    pending.request = undefined
    this.#askOne(step, journey, release, pending)
    return true
  }

  onTick(step: Step, journey: Journey): void {
    const now = step.now.monoMs
    for (const [release, pending] of this.#pending) {
      if (pending.deadlineMonoMs <= now || isReplaced(journey, release, pending))
        this.#settle(step, journey, release, pending)
      else step.wakeAt(pending.deadlineMonoMs)
    }
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

  #ofRequest(id: RequestId): [ReleaseId, Pending] | undefined {
    for (const entry of this.#pending) if (entry[1].request === id) return entry
    return undefined
  }

  /** One more seed not tried yet, or an answer without. */
  #askOne(step: Step, journey: Journey, release: ReleaseId, pending: Pending): void {
    const seeds = [...journey.admitted()]
      .filter(({ peer, hello }) => hello.submit && peer !== step.config.self && !pending.tried.has(peer))
      .map(({ peer }) => peer)
    const { named, others } = namedFirst(step.config, seeds)
    const from = named.length > 0 ? named : others
    const seed = from[Math.floor(step.config.random() * from.length)]
    if (seed === undefined) this.#settle(step, journey, release, pending)
    else this.#ask(step, release, pending, seed)
  }

  #ask(step: Step, release: ReleaseId, pending: Pending, peer: PeerId): void {
    // Last in the set is the one asked now.
    pending.tried.delete(peer)
    pending.tried.add(peer)
    pending.request = step.nextRequest()
    pending.askedMonoMs = step.now.monoMs
    step.emit({
      kind: 'request',
      id: pending.request,
      peer,
      request: { protocol: 'publish', message: { type: 'await', release } },
      timeoutMs: step.config.limits.publishDeadlineMs,
    })
  }

  #settle(step: Step, journey: Journey, release: ReleaseId, pending: Pending): void {
    this.#pending.delete(release)
    const refusal = equivocation(journey, release)
    const acknowledgedBy = [...pending.holders].sort()
    const done = { type: 'done', verdict: pending.verdict, acknowledgedBy } as const
    const reply = refusal === undefined ? done : refusedBy(refusal)
    this.#answered.set(release, reply)
    this.#tell(step, release, reply)
  }

  #tell(step: Step, release: ReleaseId, reply: PublishReply): void {
    for (const { id } of this.#awaiters.get(release) ?? []) answer(step, id, reply)
    this.#awaiters.delete(release)
  }
}
