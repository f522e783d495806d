/**
 * Telling neighbours of the own region what is here, so that they can ask for it: never one message a block, and
 * nothing to whoever said that it has all. A release of few blocks is offered to a few neighbours at a time, since
 * most of them get it from those few: offering it to all at once costs more messages than there are blocks.
 */
import { MAX_RANGES } from '../codec/blocks-messages.ts'
import type { Channel, PeerId, ReleaseId } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import type { CoreConfig } from './config.ts'
import { shuffled } from './degree.ts'
import type { FetchJob } from './fetch-job.ts'
import { rangesOf } from './holders.ts'
import type { Journey } from './journey.ts'
import type { AdmittedSession } from './session.ts'
import { regionOf } from './session.ts'
import type { Sources } from './sources.ts'
import type { Step } from './step.ts'

interface Offer {
  readonly release: ReleaseId
  readonly channel: Channel
  /** Undefined once the release is whole. */
  job: FetchJob | undefined
  /** Places in the order in which they became durable. */
  readonly log: number[]
  /** How much of the log each neighbour was told; of a whole release, everything. */
  readonly told: Map<PeerId, number>
  few: boolean
  nextMonoMs: number
  /** Rounds since the last that somebody took up. */
  idleRounds: number
  endsMonoMs: number
}

const EVERYTHING = Number.POSITIVE_INFINITY
/** Offering pauses no longer than this many times the batch. */
const MAX_PAUSE_BATCHES = 32

export class Offers {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #offers = new Map<ReleaseId, Offer>()

  constructor(config: CoreConfig, sources: Sources) {
    this.#config = config
    this.#sources = sources
  }

  /** A page or block of a release under way is durable. */
  onBlock(step: Step, job: FetchJob, place: number): void {
    // A seed gives each block away once, to whoever asks first: it offers nothing.
    if (this.#config.submit) return
    const offer = this.#of(step, job.release.id, job.channel, job)
    offer.log.push(place)
    offer.few = job.digests.length <= this.#config.limits.fewBlocks
    this.#soon(step, offer, offer.log.length - toldLeast(offer) >= this.#config.limits.maxHaveBlocks)
  }

  onWhole(step: Step, release: ReleaseId, channel: Channel, few: boolean): void {
    if (this.#config.submit) return
    const offer = this.#of(step, release, channel, undefined)
    offer.job = undefined
    offer.few = few
    // From now on: a long fetch has used up what was counted from its first block.
    offer.endsMonoMs = step.now.monoMs + this.#config.limits.offerMs
    this.#soon(step, offer, few)
  }

  /** What was being fetched is no longer wanted. */
  stop(release: ReleaseId): void {
    if (this.#offers.get(release)?.job !== undefined) this.#offers.delete(release)
  }

  /** A neighbour asked for a block: offers are being taken up. */
  onTaken(step: Step): void {
    for (const offer of this.#offers.values()) {
      offer.idleRounds = 0
      if (offer.few) this.#soon(step, offer, false)
    }
  }

  /** Somebody new, who was told nothing. */
  onAdmitted(step: Step): void {
    for (const offer of this.#offers.values()) if (offer.log.length > 0) this.#soon(step, offer, false)
  }

  onDisconnected(peer: PeerId): void {
    for (const offer of this.#offers.values()) offer.told.delete(peer)
  }

  onTick(step: Step, journey: Journey): void {
    for (const offer of this.#offers.values()) {
      if (step.now.monoMs >= offer.endsMonoMs && offer.job === undefined) this.#offers.delete(offer.release)
      else if (offer.nextMonoMs <= step.now.monoMs) this.#round(step, journey, offer)
      else if (offer.nextMonoMs !== EVERYTHING) step.wakeAt(offer.nextMonoMs)
    }
  }

  #of(step: Step, release: ReleaseId, channel: Channel, job: FetchJob | undefined): Offer {
    const known = this.#offers.get(release)
    if (known !== undefined) return known
    const offer: Offer = {
      release,
      channel,
      job,
      log: [],
      told: new Map(),
      few: true,
      nextMonoMs: EVERYTHING,
      idleRounds: 0,
      endsMonoMs: step.now.monoMs + this.#config.limits.offerMs,
    }
    this.#offers.set(release, offer)
    return offer
  }

  #soon(step: Step, offer: Offer, now: boolean): void {
    offer.nextMonoMs = Math.min(
      offer.nextMonoMs,
      step.now.monoMs + (now ? 0 : this.#config.limits.haveBatchMs),
    )
    step.wakeAt(offer.nextMonoMs)
  }

  #round(step: Step, journey: Journey, offer: Offer): void {
    const { limits, random } = this.#config
    const latest = offer.job === undefined ? EVERYTHING : offer.log.length
    const behind = [...journey.admitted()].filter((session) => this.#lacks(journey, offer, session, latest))
    const chosen = offer.few ? shuffled(behind, random).slice(0, limits.offersAtOnce) : behind
    for (const { peer } of chosen) {
      this.#tell(step, offer, peer)
      offer.told.set(peer, latest)
    }
    offer.nextMonoMs = EVERYTHING
    if (behind.length === chosen.length) {
      if (offer.job === undefined) this.#offers.delete(offer.release)
      return
    }
    const pauseMs = limits.haveBatchMs * Math.min(2 ** offer.idleRounds, MAX_PAUSE_BATCHES)
    offer.idleRounds += 1
    offer.nextMonoMs = step.now.monoMs + pauseMs * (0.75 + random() / 2)
    step.wakeAt(offer.nextMonoMs)
  }

  #lacks(journey: Journey, offer: Offer, { peer, hello }: AdmittedSession, latest: number): boolean {
    if (hello.submit || regionOf(hello.region) !== journey.region) return false
    if ((offer.told.get(peer) ?? 0) >= latest || this.#sources.of(offer.release).isWhole(peer)) return false
    return matchesAny(hello.patterns, offer.channel)
  }

  #tell(step: Step, { release, channel, job, log, told }: Offer, peer: PeerId): void {
    const news = log.slice(told.get(peer) ?? 0).sort((a, b) => a - b)
    const ranges = job === undefined ? [] : rangesOf(news)
    // Whoever is new to a node that has much hears it in several messages.
    for (let at = 0; at === 0 || at < ranges.length; at += MAX_RANGES) {
      const some = job === undefined ? {} : { ranges: ranges.slice(at, at + MAX_RANGES) }
      const message = { type: 'holds', release, channel, whole: job === undefined, ...some } as const
      const request = { protocol: 'blocks', message } as const
      const timeoutMs = this.#config.limits.blockDeadlineMs
      step.emit({ kind: 'request', id: step.nextRequest(), peer, request, timeoutMs })
      step.emit({ kind: 'count', metric: 'offers', by: 1 })
    }
  }
}

/** What the neighbour told most has been told of the log. */
const toldLeast = ({ told }: Offer): number => Math.max(0, ...told.values())
