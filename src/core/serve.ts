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
  readonly #active = new Map<RequestId, Wanted>()
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

  /** A block is on its way, or the asker has gone. */
  onServed(step: Step, id: RequestId): void {
    const active = this.#active.get(id)
    if (active === undefined) return
    this.#active.delete(id)
    // What waits in line here is no sign of a dead peer.
    if (this.#config.submit) this.#copies.heard(active.peer, step.now.monoMs)
    this.#next(step)
  }

  onDisconnected(peer: PeerId): void {
    const left = this.#queue.filter((wanted) => wanted.peer !== peer)
    this.#queue.splice(0, this.#queue.length, ...left)
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
    const border = regionOf(journey.session(peer)?.hello?.region ?? '') !== journey.region
    const { limits } = this.#config
    const wanted = { id, peer, digest, border, failed, untilMonoMs: step.now.monoMs + limits.standMs }
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
    const question = { digest, asker: peer, failed, hasRoom: !this.#isFullFor(wanted) }
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
    if (this.#isFullFor(wanted)) return this.#busy(step, wanted.id)
    // A region waits behind whoever asks over its border.
    const at = wanted.border ? this.#queue.findIndex(({ border }) => !border) : -1
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, wanted)
    this.#next(step)
  }

  /**
   * The own region finds the block elsewhere. Whoever asks over the border is the only one to bring it in there, and
   * would lose a round trip of up to 330 ms: it waits in line, with as much as it may want at once.
   */
  #isFullFor({ peer, border }: Wanted): boolean {
    const { limits, submit } = this.#config
    const room = submit || border ? limits.maxServedBySeed : limits.maxServed
    if (this.#active.size + this.#queue.length >= room) return true
    const inLine = this.#queue.filter((one) => one.peer === peer).length
    if (border) return inLine >= limits.maxWantsPerSeed
    const active = [...this.#active.values()].filter((one) => one.peer === peer).length
    // One more than it may want at once: what it wanted before may have reached it before its end is told here.
    return inLine + active > (submit ? limits.maxWantsPerSeed : limits.maxWantsPerPeer)
  }

  #next(step: Step): void {
    const { limits } = this.#config
    while (this.#active.size < limits.maxServedAtOnce) {
      const wanted = this.#nextInLine()
      if (wanted === undefined) return
      const untilMonoMs = step.now.monoMs + limits.blockDeadlineMs
      this.#active.set(wanted.id, { ...wanted, untilMonoMs })
      step.wakeAt(untilMonoMs)
      step.emit({ kind: 'serveBlock', id: wanted.id, digest: wanted.digest })
    }
  }

  /**
   * Whoever does not read what it is given holds its place for as long as a block may take: one place, where others wait,
   * and all but one for who is the only way into a region.
   */
  #nextInLine(): Wanted | undefined {
    const active = [...this.#active.values()]
    const places = (border: boolean): number =>
      border ? Math.max(1, this.#config.limits.maxServedAtOnce - 1) : 1
    const at = this.#queue.findIndex(
      ({ peer, border }) => active.filter((one) => one.peer === peer).length < places(border),
    )
    return this.#queue.splice(Math.max(at, 0), 1)[0]
  }

  #busy(step: Step, id: RequestId, retryAfterMs = this.#config.limits.busyRetryMs): void {
    step.emit({ kind: 'count', metric: 'busy', by: 1 })
    this.#answer(step, id, { type: 'busy', retryAfterMs })
  }

  #answer(step: Step, id: RequestId, message: BlocksReply): void {
    step.emit({ kind: 'reply', id, reply: { protocol: 'blocks', message } })
  }
}
