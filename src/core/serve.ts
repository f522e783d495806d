/**
 * What peers get from us: a durable block, other regions first and each by its turn, few at a time, and "busy" beyond, so
 * that they ask somebody who is free. What is on its way here may be waited for.
 */
import type { Address, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { BlocksReply } from '../model/messages.ts'
import type { BorderDuty } from './border-duty.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import { costOf, type Holding, MAX_PLACES } from './holders.ts'
import type { Journey } from './journey.ts'
import { type Buckets, createBuckets } from './rate.ts'
import { Backlog } from './serve/backlog.ts'
import { Copies } from './serve/copies.ts'
import { SignsOfLife } from './serve/signs-of-life.ts'
import { lateMonoMs, NOT_YET, SlowTakers, type Taking } from './serve/slow-takers.ts'
import type { Step } from './step.ts'

export interface Content {
  /** It is missing here, and being fetched or written. */
  isComing(digest: Digest): boolean
  /** This very peer is asked for it, and nobody else: each would wait for the other. */
  isAskedOf(digest: Digest, peer: PeerId): boolean
  /** A peer asks or says something; it takes something where it asks for a block that is here, or comes. */
  spoke(peer: PeerId, monoMs: number, takes: boolean): void
  readonly duty: BorderDuty
}

export interface ServeFrom {
  /** A peer says what it holds of a release. */
  announced(step: Step, release: ReleaseId, peer: PeerId, holding: Holding): void
  /** A peer asks what is here of a release. */
  asked(step: Step, release: ReleaseId, peer: PeerId): void
  /** A peer has been given this block. */
  left(step: Step, digest: Digest): void
  readonly content: Content
  /** Pages of beacons are asked for as blocks, and live in memory. */
  beaconPage(digest: Digest): Uint8Array | undefined
  /** Where others can dial this peer, as far as it is known. */
  address(peer: PeerId): Address | undefined
}

interface Wanted {
  readonly id: RequestId
  readonly peer: PeerId
  readonly digest: Digest
  /** Over a border, by one that is not known to read slowly: it goes first. */
  readonly border: boolean
  /** Of another gateway of the region, which is the first to ask for what this one brought in. */
  readonly handOn: boolean
  /** A seed is given a block without counting a copy, so that there is none to take back. */
  readonly seed: boolean
  /** The asker was sent on by us before, in vain; or put off, here and by others. */
  readonly failed: boolean
  readonly untilMonoMs: number
}

/** Being read, or on its way. */
interface Active extends Wanted, Taking {
  readonly begunMonoMs: number
}

export class Serve {
  readonly #config: CoreConfig
  readonly #from: ServeFrom
  readonly #copies: Copies
  readonly #announcements: Buckets<PeerId>
  /** Being read and written to the network. */
  readonly #active = new Map<RequestId, Active>()
  readonly #slow = new SlowTakers()
  readonly #backlog: Backlog
  readonly #signs: SignsOfLife
  readonly #queue: Wanted[] = []
  /** Until the block is here. */
  #standing: readonly Wanted[] = []

  constructor(config: CoreConfig, from: ServeFrom) {
    this.#config = config
    this.#from = from
    this.#copies = new Copies(config)
    this.#backlog = new Backlog(config.limits)
    this.#signs = new SignsOfLife(config.limits)
    const { announcementsPerSecond, announcementsBurst } = config.limits
    // one that names all the places that it may is looked at, however few are at once
    const least = costOf({ whole: false, ranges: [0, MAX_PLACES] })
    this.#announcements = createBuckets(announcementsPerSecond, Math.max(announcementsBurst, least))
  }

  onRequest(step: Step, journey: Journey, event: EventOf<'request'>): boolean {
    if (event.request.protocol !== 'blocks') return false
    const { message } = event.request
    if (journey.session(event.peer)?.hello === undefined) {
      const text = 'blocks are for admitted peers'
      if (message.type !== 'holds')
        this.#answer(step, event.id, { type: 'refused', code: 'ADMIT_REFUSED', text })
      return true
    }
    const { content } = this.#from
    const isThere = (digest: Digest) => journey.hasBlock(digest) || content.isComing(digest)
    content.spoke(event.peer, step.now.monoMs, message.type === 'want' && isThere(message.digest))
    if (message.type === 'want') this.#want(step, journey, event, message.digest, message.failed === true)
    else {
      if (this.#announcements.take(event.peer, step.now.monoMs, costOf(message))) {
        this.#from.announced(step, message.release, event.peer, message)
        if (message.type === 'have') this.#from.asked(step, message.release, event.peer)
      }
      if (message.type === 'have')
        this.#answer(step, event.id, { type: 'noted', whole: journey.isWhole(message.release) })
    }
    return true
  }

  /** The block is durable: those who waited for it get it. */
  onBlock(step: Step, journey: Journey, digest: Digest): void {
    if (this.#standing.length === 0) return
    const ready = this.#standing.filter((wanted) => wanted.digest === digest)
    if (ready.length === 0) return
    this.#stand(this.#standing.filter((wanted) => wanted.digest !== digest))
    for (const wanted of ready) this.#serve(step, journey, wanted)
    this.#putOff(step, journey)
  }

  /** A block begins to leave; or is on its way, or none of it: the asker has gone, or it could not be read. */
  onServed(step: Step, event: EventOf<'serving' | 'served'>): void {
    const { id } = event
    const active = this.#active.get(id)
    if (active === undefined) return
    if (event.kind === 'serving') {
      active.sinceMonoMs = step.now.monoMs
      return
    }
    const { bytes } = event
    this.#active.delete(id)
    if (bytes === 0) this.#unbooked(active, active.sinceMonoMs !== NOT_YET)
    else {
      this.#signs.gave(step, active.peer)
      this.#from.left(step, active.digest)
      this.#backlog.left(step.now.monoMs, active.begunMonoMs)
    }
    const { limits } = this.#config
    this.#look(step)
    if (this.#slow.left(active, bytes, [...this.#active.values()], limits, step.now.monoMs))
      this.#sendAway(step)
    // What waits in line here is no sign of a dead peer.
    if (this.#config.submit) this.#copies.heard(active.peer, step.now.monoMs)
    this.#next(step)
    this.#backlog.waits(this.#waitingAbroad)
  }

  onDisconnected(peer: PeerId): void {
    for (const wanted of this.#queue.filter((one) => one.peer === peer)) this.#takenBack(wanted)
    this.#stand(this.#standing.filter((wanted) => wanted.peer !== peer))
    this.#signs.forget(peer)
    this.#announcements.forget(peer)
    this.#backlog.waits(this.#waitingAbroad)
  }

  onTick(step: Step, journey: Journey): void {
    const { monoMs } = step.now
    for (const wanted of this.#active.values()) {
      if (wanted.untilMonoMs > monoMs) step.wakeAt(wanted.untilMonoMs)
      else {
        this.#active.delete(wanted.id)
        this.#unbooked(wanted, wanted.sinceMonoMs !== NOT_YET)
      }
    }
    this.#next(step)
    this.#backlog.waits(this.#waitingAbroad)
    const due = this.#standing.filter(({ untilMonoMs }) => untilMonoMs <= monoMs)
    if (due.length > 0) this.#stand(this.#standing.filter(({ untilMonoMs }) => untilMonoMs > monoMs))
    for (const { id } of due) this.#busy(step, id)
    for (const { untilMonoMs } of this.#standing) step.wakeAt(untilMonoMs)
    this.#signs.onTick(step, journey, () => this.#unanswered)
  }

  #want(
    step: Step,
    journey: Journey,
    { id, peer }: EventOf<'request'>,
    digest: Digest,
    failed: boolean,
  ): void {
    const page = this.#from.beaconPage(digest)
    if (page !== undefined) return this.#answer(step, id, { type: 'block', bytes: page })
    const hello = journey.session(peer)?.hello
    const isOutside = hello?.region !== journey.region
    const border = isOutside && !this.#slow.has(peer, step.now.monoMs)
    const seed = hello?.submit === true
    const untilMonoMs = step.now.monoMs + this.#standMs(isOutside)
    const wanted = { id, peer, digest, border, handOn: false, seed, failed, untilMonoMs }
    if (journey.hasBlock(digest)) this.#serve(step, journey, wanted)
    else this.#await(step, journey, wanted)
    if (isOutside && this.#unanswered.some((one) => one.id === id)) this.#signs.waits(step, peer)
  }

  get #unanswered(): readonly Wanted[] {
    return [...this.#standing, ...this.#queue, ...this.#active.values()]
  }

  #await(step: Step, journey: Journey, wanted: Wanted): void {
    const { id, peer, digest } = wanted
    const { limits } = this.#config
    const { content } = this.#from
    if (!content.isComing(digest)) return this.#answer(step, id, { type: 'gone' })
    const mine = this.#standing.filter((one) => one.peer === peer).length
    const isFull = mine >= limits.maxWantsPerSeed || this.#standing.length >= limits.maxStanding
    if (isFull || content.isAskedOf(digest, peer)) return this.#busy(step, id)
    this.#stand([...this.#standing, wanted])
    step.wakeAt(wanted.untilMonoMs)
    this.#putOff(step, journey)
  }

  #stand(standing: readonly Wanted[]): void {
    this.#standing = standing
    // A seed that has yet to get a release has first what its region asks it for: else it is busy with all that it lacks.
    const isAwaited = ({ border }: Wanted): boolean => border || this.#config.submit
    this.#from.content.duty.awaited = standing.filter(isAwaited).map(({ digest }) => digest)
  }

  /**
   * What other regions wait for here takes too long: for what is not here yet they ask the next in line, who gets it from a
   * neighbour. Whoever was put off often enough stays.
   */
  #putOff(step: Step, journey: Journey): void {
    const waiting = this.#waitingAbroad
    this.#backlog.waits(waiting)
    if (!this.#backlog.isTooLong || this.#config.submit) return
    const isPutOff = ({ border, failed }: Wanted): boolean => border && !failed
    if (!this.#standing.some(isPutOff)) return
    if (!journey.gateways(journey.region).some((peer) => peer !== this.#config.self)) return
    const putOff = this.#standing.filter(isPutOff)
    this.#stand(this.#standing.filter((wanted) => !isPutOff(wanted)))
    for (const { id } of putOff) this.#busy(step, id, this.#backlog.retryAfterMs(waiting))
  }

  get #waitingAbroad(): number {
    return this.#queue.filter(({ border }) => border).length
  }

  /**
   * Over a border a question costs a round trip. Whoever is near would take a seed for silent by then that is still getting
   * the block itself, leave it alone and ask far ones for all: it hears "busy" in time, and asks again.
   */
  #standMs(isOutside: boolean): number {
    const { standMs, blockSilenceMs } = this.#config.limits
    return this.#config.submit && !isOutside ? blockSilenceMs / 2 : standMs
  }

  #serve(step: Step, journey: Journey, wanted: Wanted): void {
    if (this.#config.submit) {
      if (this.#gives(step, journey, wanted)) this.#enqueue(step, wanted)
      return
    }
    this.#enqueue(step, { ...wanted, handOn: this.#isToHandOn(step, journey, wanted) })
  }

  /** Until another gateway has it nobody here has it from anybody else, and other regions may wait for it there. */
  #isToHandOn({ now: { monoMs } }: Step, journey: Journey, { peer, digest, border }: Wanted): boolean {
    if (border || !this.#from.content.duty.isToHandOn(digest) || this.#slow.has(peer, monoMs)) return false
    return journey.gateways(journey.region).includes(peer)
  }

  #gives(step: Step, journey: Journey, wanted: Wanted): boolean {
    const { id, peer, digest, failed } = wanted
    const question = { digest, asker: peer, failed, hasRoom: !this.#isFullFor(step, wanted) }
    const judgement = this.#copies.judge(journey, question, step.now.monoMs)
    if (judgement.kind === 'give') return true
    if (judgement.kind === 'later') this.#busy(step, id, judgement.retryAfterMs)
    else {
      const { to } = judgement
      const address = this.#from.address(to)
      step.emit({ kind: 'count', metric: 'redirects', by: 1 })
      this.#answer(step, id, {
        type: 'redirect',
        peer: to,
        addresses: address === undefined ? [] : [address],
      })
    }
    return false
  }

  #enqueue(step: Step, wanted: Wanted): void {
    if (this.#isFullFor(step, wanted)) return this.#busy(step, wanted.id)
    if (wanted.handOn) this.#from.content.duty.handedOn(wanted.digest)
    // A region waits behind whoever asks over its border, and behind those of its own who hand on what they are given.
    const at = this.#queue.findIndex((one) => urgency(one) < urgency(wanted))
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, wanted)
    this.#next(step)
  }

  /**
   * The own region finds the block elsewhere. Whoever asks over the border is the only one to bring it in there, and
   * would lose a round trip of up to 330 ms: it waits in line, with as much as it may want at once.
   */
  #isFullFor({ now: { monoMs } }: Step, { peer, border, handOn }: Wanted): boolean {
    const { limits, submit } = this.#config
    const active = [...this.#active.values()]
    const mine = active.filter((one) => one.peer === peer).length
    // Who holds a place already is not let by.
    const letsBy = mine === 0 && this.#slow.letsBy(active, limits.maxServedAtOnce, monoMs)
    const held = this.#slow.places(active, monoMs) - (letsBy ? 1 : 0)
    const room = submit || border || handOn ? limits.maxServedBySeed : limits.maxServed
    if (held + this.#queue.length >= room) return true
    if (this.#slow.has(peer, monoMs))
      return [...active, ...this.#queue].some((one) => this.#slow.has(one.peer, monoMs))
    const inLine = this.#queue.filter((one) => one.peer === peer).length
    if (border) return inLine >= limits.maxWantsPerSeed
    // One more than it may want at once: what it wanted before may have reached it before its end is told here.
    return inLine + mine > (submit ? limits.maxWantsPerSeed : limits.maxWantsPerPeer)
  }

  #next(step: Step): void {
    const { monoMs } = step.now
    const lookMonoMs = this.#look(step)
    for (;;) {
      const wanted = this.#nextInLine([...this.#active.values()], monoMs)
      if (wanted === undefined) break
      const untilMonoMs = monoMs + this.#config.limits.blockDeadlineMs
      const taking = { sinceMonoMs: NOT_YET, passedByBytes: 0, ofItsPeer: 1, stoodMs: 0 }
      this.#active.set(wanted.id, { ...wanted, untilMonoMs, begunMonoMs: monoMs, ...taking })
      step.wakeAt(untilMonoMs)
      step.emit({ kind: 'serveBlock', id: wanted.id, digest: wanted.digest })
    }
    if (this.#active.size > 0) step.wakeAt(lookMonoMs)
    const lastLateMonoMs = Math.max(...[...this.#active.values()].map(lateMonoMs))
    if (this.#queue.length > 0 && lastLateMonoMs > monoMs) step.wakeAt(lastLateMonoMs)
  }

  /** Whether this node stood still, before anything is made of what took long. */
  #look({ now }: Step): number {
    return this.#slow.look([...this.#active.values()], this.#config.limits, now.monoMs)
  }

  /**
   * Whoever does not read what it is given holds its place for as long as a block may take: one place, where others wait,
   * and all but one for who is the only way into a region.
   */
  #nextInLine(active: readonly Taking[], monoMs: number): Wanted | undefined {
    const { maxServedAtOnce } = this.#config.limits
    if (this.#slow.places(active, monoMs) >= maxServedAtOnce) return this.#letBy(active, monoMs)
    const isSlow = ({ peer }: { readonly peer: PeerId }) => this.#slow.has(peer, monoMs)
    const mayNext = active.some(isSlow) ? (one: Wanted) => !isSlow(one) : () => true
    const places = (border: boolean): number => (border ? Math.max(1, maxServedAtOnce - 1) : 1)
    const hasRoom = ({ peer, border }: Wanted) =>
      active.filter((one) => one.peer === peer).length < places(border)
    const next = this.#queue.find((one) => mayNext(one) && hasRoom(one)) ?? this.#queue.find(mayNext)
    return next && this.#takenOut(next)
  }

  /** Who came last: whoever reads nothing has waited in line for longer. */
  #letBy(active: readonly Taking[], monoMs: number): Wanted | undefined {
    if (!this.#slow.letsBy(active, this.#config.limits.maxServedAtOnce, monoMs)) return undefined
    const isFresh = ({ peer }: Wanted) =>
      !this.#slow.has(peer, monoMs) && active.every((one) => one.peer !== peer)
    const last = this.#queue.findLast(isFresh)
    return last && this.#takenOut(last)
  }

  #takenOut(wanted: Wanted): Wanted {
    this.#queue.splice(this.#queue.indexOf(wanted), 1)
    return wanted
  }

  /** Out of the line, and not given. */
  #takenBack(wanted: Wanted): Wanted {
    this.#unbooked(wanted)
    return this.#takenOut(wanted)
  }

  /** @param begun a part of it may have left: nobody has the uplink again and again by ending each before its end */
  #unbooked(wanted: Wanted, begun = false): void {
    if (this.#config.submit && !wanted.seed) this.#copies.takeBack(wanted.digest, wanted.peer, begun)
    this.#owedStill(wanted)
  }

  /** It was to hand the block on, and has not got it. */
  #owedStill({ handOn, digest }: Wanted): void {
    if (handOn) this.#from.content.duty.broughtIn(digest)
  }

  /** Who has turned out to be slow waits no longer in the line of the others. */
  #sendAway(step: Step): void {
    const slow = this.#queue.filter(({ peer }) => this.#slow.has(peer, step.now.monoMs))
    for (const wanted of slow) this.#busy(step, this.#takenBack(wanted).id)
  }

  #busy(step: Step, id: RequestId, retryAfterMs = this.#config.limits.busyRetryMs): void {
    step.emit({ kind: 'count', metric: 'busy', by: 1 })
    this.#answer(step, id, { type: 'busy', retryAfterMs })
  }

  #answer(step: Step, id: RequestId, message: BlocksReply): void {
    step.emit({ kind: 'reply', id, reply: { protocol: 'blocks', message } })
  }
}

/** In line: other regions, then who hands on what this node brought in, then all else. */
const urgency = ({ border, handOn }: Wanted): number => (border ? 2 : handOn ? 1 : 0)
