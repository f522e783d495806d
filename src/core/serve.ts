/**
 * What peers get from us: a durable block, first come first served, few at a time, and "busy" beyond, so that they
 * ask somebody who is free. What is on its way here may be waited for.
 */
import type { Address, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { BlocksReply } from '../model/messages.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import { costOf, type Holding } from './holders.ts'
import type { Journey } from './journey.ts'
import { type Buckets, createBuckets } from './rate.ts'
import { Copies } from './serve/copies.ts'
import { lateMonoMs, SlowTakers, type Taking } from './serve/slow-takers.ts'
import { regionOf } from './session.ts'
import type { Step } from './step.ts'

export interface ServeFrom {
  /** A peer says what it holds of a release. */
  announced(step: Step, release: ReleaseId, peer: PeerId, holding: Holding): void
  /** A peer asks what is here of a release. */
  asked(step: Step, release: ReleaseId, peer: PeerId): void
  /** It is missing here, and being fetched or written. */
  isComing(digest: Digest): boolean
  /** This very peer is asked for it, and nobody else: each would wait for the other. */
  isAskedOf(digest: Digest, peer: PeerId): boolean
  /** Pages of beacons are asked for as blocks, and live in memory. */
  beaconPage(digest: Digest): Uint8Array | undefined
  /** Where others can dial this peer, as far as it is known. */
  address(peer: PeerId): Address | undefined
}

interface Wanted {
  readonly id: RequestId
  readonly peer: PeerId
  readonly digest: Digest
  readonly border: boolean
  /** Seeds get blocks without a booking. */
  readonly seed: boolean
  /** The asker was sent on by us before, in vain. */
  readonly failed: boolean
  readonly untilMonoMs: number
}

export class Serve {
  readonly #config: CoreConfig
  readonly #from: ServeFrom
  readonly #copies: Copies
  readonly #announcements: Buckets<PeerId>
  /** Being read and written to the network. */
  readonly #active = new Map<RequestId, Wanted & Taking>()
  readonly #slow = new SlowTakers()
  readonly #queue: Wanted[] = []
  /** Until the block is here. */
  #standing: Wanted[] = []

  constructor(config: CoreConfig, from: ServeFrom) {
    this.#config = config
    this.#from = from
    this.#copies = new Copies(config)
    const { announcementsPerSecond, announcementsBurst } = config.limits
    this.#announcements = createBuckets(announcementsPerSecond, announcementsBurst)
  }

  onRequest(step: Step, journey: Journey, event: EventOf<'request'>): boolean {
    if (event.request.protocol !== 'blocks') return false
    const { message } = event.request
    if (journey.session(event.peer)?.hello === undefined) {
      const text = 'blocks are for admitted peers'
      if (message.type !== 'holds')
        this.#answer(step, event.id, { type: 'refused', code: 'ADMIT_REFUSED', text })
    } else if (message.type === 'want')
      this.#want(step, journey, event, message.digest, message.failed === true)
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
    this.#standing = this.#standing.filter((wanted) => wanted.digest !== digest)
    for (const wanted of ready) this.#serve(step, journey, wanted)
  }

  /** A block is on its way, or none of it: the asker has gone, or it could not be read. */
  onServed(step: Step, { id, bytes }: EventOf<'served'>): void {
    const active = this.#active.get(id)
    if (active === undefined) return
    this.#active.delete(id)
    const { limits } = this.#config
    if (this.#slow.left(active, bytes, [...this.#active.values()], limits, step.now.monoMs))
      this.#sendAway(step)
    // What waits in line here is no sign of a dead peer.
    if (this.#config.submit) this.#copies.heard(active.peer, step.now.monoMs)
    this.#next(step)
  }

  onDisconnected(peer: PeerId): void {
    for (const wanted of this.#queue.filter((one) => one.peer === peer)) this.#takenBack(wanted)
    this.#standing = this.#standing.filter((wanted) => wanted.peer !== peer)
    this.#announcements.forget(peer)
  }

  onTick(step: Step): void {
    const { monoMs } = step.now
    for (const { id, untilMonoMs } of this.#active.values())
      if (untilMonoMs <= monoMs) this.#active.delete(id)
    this.#next(step)
    const due = this.#standing.filter(({ untilMonoMs }) => untilMonoMs <= monoMs)
    if (due.length > 0) this.#standing = this.#standing.filter(({ untilMonoMs }) => untilMonoMs > monoMs)
    for (const { id } of due) this.#busy(step, id)
    for (const { untilMonoMs } of this.#standing) step.wakeAt(untilMonoMs)
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
    const isOutside = regionOf(hello?.region ?? '') !== journey.region
    const border = isOutside && !this.#slow.has(peer, step.now.monoMs)
    const { limits } = this.#config
    const seed = hello?.submit === true
    const wanted = { id, peer, digest, border, seed, failed, untilMonoMs: step.now.monoMs + limits.standMs }
    if (journey.hasBlock(digest)) return this.#serve(step, journey, wanted)
    if (!this.#from.isComing(digest)) return this.#answer(step, id, { type: 'gone' })
    const mine = this.#standing.filter((one) => one.peer === peer).length
    const isFull = mine >= limits.maxWantsPerSeed || this.#standing.length >= limits.maxStanding
    if (isFull || this.#from.isAskedOf(digest, peer)) return this.#busy(step, id)
    this.#standing.push(wanted)
    step.wakeAt(wanted.untilMonoMs)
  }

  #serve(step: Step, journey: Journey, wanted: Wanted): void {
    if (!this.#config.submit || this.#gives(step, journey, wanted)) this.#enqueue(step, wanted)
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
    // A region waits behind whoever asks over its border.
    const at = wanted.border ? this.#queue.findIndex(({ border }) => !border) : -1
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, wanted)
    this.#next(step)
  }

  /**
   * The own region finds the block elsewhere. Whoever asks over the border is the only one to bring it in there, and
   * would lose a round trip of up to 330 ms: it waits in line, with as much as it may want at once.
   */
  #isFullFor({ now: { monoMs } }: Step, { peer, border }: Wanted): boolean {
    const { limits, submit } = this.#config
    const active = [...this.#active.values()]
    const mine = active.filter((one) => one.peer === peer).length
    // Who holds a place already is not let by.
    const letsBy = mine === 0 && this.#slow.letsBy(active, limits.maxServedAtOnce, monoMs)
    const held = this.#slow.places(active, monoMs) - (letsBy ? 1 : 0)
    const room = submit || border ? limits.maxServedBySeed : limits.maxServed
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
    for (;;) {
      const wanted = this.#nextInLine([...this.#active.values()], monoMs)
      if (wanted === undefined) break
      const untilMonoMs = monoMs + this.#config.limits.blockDeadlineMs
      const taking = { sinceMonoMs: monoMs, passedByBytes: 0, ofItsPeer: 1 }
      this.#active.set(wanted.id, { ...wanted, untilMonoMs, ...taking })
      step.wakeAt(untilMonoMs)
      step.emit({ kind: 'serveBlock', id: wanted.id, digest: wanted.digest })
    }
    const lastLateMonoMs = Math.max(...[...this.#active.values()].map(lateMonoMs))
    if (this.#queue.length > 0 && lastLateMonoMs > monoMs) step.wakeAt(lastLateMonoMs)
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
    if (this.#config.submit && !wanted.seed) this.#copies.takeBack(wanted.digest, wanted.peer)
    return this.#takenOut(wanted)
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
