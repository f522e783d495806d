/**
 * Telling neighbours of the own region what is here, so that they can ask for it: never one message a block, and
 * nothing to whoever said that it has all. A release of few blocks is offered to few neighbours, the same from the
 * first block to the last: telling all of them costs many times what the blocks do. On a crowded host only those that
 * were told least hear of each: by the time of the others there is more to tell them, and much that they have by then.
 */
import { MAX_RANGES } from '../../codec/blocks-messages.ts'
import type { Limits } from '../../limits.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../../model/ids.ts'
import { matchesAny } from '../../model/pattern.ts'
import type { CoreConfig } from '../config.ts'
import { shuffled } from '../degree.ts'
import { rangesOf } from '../holders.ts'
import type { Journey } from '../journey.ts'
import { Lateness } from '../lateness.ts'
import type { AdmittedSession } from '../session.ts'
import type { Step } from '../step.ts'
import { Askers } from './askers.ts'
import type { FetchJob } from './job.ts'
import type { Sources } from './sources.ts'

interface Offer {
  readonly release: ReleaseId
  readonly channel: Channel
  /** Undefined once the release is whole. */
  job: FetchJob | undefined
  /** Places in the order in which they became durable. */
  readonly log: number[]
  /** How much of the log each neighbour was told; of a whole release, everything. */
  readonly told: Map<PeerId, number>
  /** When each neighbour was last told all of it anew, as it asked. */
  readonly retoldMonoMs: Map<PeerId, number>
  few: boolean
  nextMonoMs: number
  /** Places for further neighbours, once few have been told; and when there is one more. */
  late: number
  lateMonoMs: number
}

const EVERYTHING = Number.POSITIVE_INFINITY
/** So much later at the earliest a neighbour that asks again is told everything anew: of a large release that is much. */
export const RETELL_MS = 1_000
/**
 * Neighbours that hear at once of what is new on a crowded host. Of 60 real nodes on two cores that were given 8 MiB each
 * told 475 times where all heard at once, 240 times with four, and 145 with two, and was done a fifth sooner.
 */
const CROWD_OFFERS = 2
/** How late this host was with what it said long ago says nothing of now: twice the longest pause between two rounds. */
const LATENESS_KEPT_MS = 2_000
const NEVER = Number.POSITIVE_INFINITY
const NONE: ReadonlySet<AdmittedSession> = new Set()

export class Offers {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #offers = new Map<ReleaseId, Offer>()
  readonly #askers = new Askers()
  readonly #lateness = new Lateness(LATENESS_KEPT_MS)

  constructor(config: CoreConfig, sources: Sources) {
    this.#config = config
    this.#sources = sources
  }

  /** A page or block of a release under way is durable. */
  onBlock(step: Step, job: FetchJob, place: number): void {
    // A seed gives each block away once, to whoever asks first: it offers nothing.
    if (this.#config.submit) return
    const { limits } = this.#config
    const offer = this.#of(job.release.id, job.channel, job)
    offer.log.push(place)
    offer.few = job.digests.length <= limits.fewBlocks
    // Where the block does not come, whoever has it elsewhere must hear of the page after all.
    if (isSaidAtOnce(job, limits))
      return this.#soon(step, offer, job.isComplete ? 0 : limits.blockDeadlineMs / 2)
    const told = toldMost(offer)
    const { haveBatchMs, havePauseMs, maxHaveBlocks } = limits
    const news = offer.log.length - told
    if (news >= maxHaveBlocks) return this.#soon(step, offer, 0)
    // What nobody else has would be gone with this node.
    const isFirst = !offer.few && !this.#sources.of(offer.release).announced(place, () => true)
    // The last block of few is said with the whole, a write later.
    const isSoon = isFirst || (isWorthTelling(news, told, limits) && !(offer.few && job.isComplete))
    const pauseMs = isSoon ? haveBatchMs : havePauseMs
    // Of few blocks, once some neighbours know of it, the others are soon said with the whole.
    const isCalm = !offer.few || offer.told.size === 0
    this.#soon(step, offer, isCalm ? pauseMs : Math.max(pauseMs, this.#lateness.pauseMs))
  }

  /** Here from before, under whatever release: neighbours may have it from us. */
  onHere(step: Step, journey: Journey, job: FetchJob, from: number): void {
    for (let place = from; place < job.digests.length; place += 1)
      if (journey.hasBlock(job.digests[place] as Digest)) this.onBlock(step, job, place)
  }

  onWhole(step: Step, release: ReleaseId, channel: Channel, few: boolean): void {
    if (this.#config.submit) return
    const { limits } = this.#config
    const offer = this.#of(release, channel, undefined)
    offer.job = undefined
    offer.few = few
    this.#soon(step, offer, few ? 0 : limits.haveBatchMs)
  }

  /** What was being fetched is no longer wanted, or is fetched anew: what was whole is so no more. */
  stop(release: ReleaseId): void {
    this.#askers.drop(release)
    this.#offers.delete(release)
  }

  /** Somebody new, who was told nothing. */
  onAdmitted(step: Step): void {
    for (const offer of this.#offers.values())
      if (offer.log.length > 0) this.#soon(step, offer, this.#config.limits.haveBatchMs)
  }

  /**
   * A neighbour asks what is here. What it was told may have been lost: nobody answers an announcement, and one that
   * waits too long for a stream is dropped. Where nothing is here yet it is told once something is. Of a whole release the
   * answer itself says so.
   * @param isWhole here, and so said in the answer
   */
  onAsked(step: Step, release: ReleaseId, peer: PeerId, isWhole: boolean): void {
    const offer = this.#offers.get(release)
    if (isWhole || this.#config.submit) return
    if (offer?.job === undefined || !isAnySaid(offer, this.#config.limits))
      return this.#askers.add(release, peer)
    const { monoMs } = step.now
    if (monoMs - (offer.retoldMonoMs.get(peer) ?? Number.NEGATIVE_INFINITY) < RETELL_MS) return
    offer.retoldMonoMs.set(peer, monoMs)
    offer.told.set(peer, 0)
    this.#soon(step, offer, this.#config.limits.haveBatchMs)
  }

  onDisconnected(peer: PeerId): void {
    this.#askers.onDisconnected(peer)
    for (const { told, retoldMonoMs } of this.#offers.values()) {
      told.delete(peer)
      retoldMonoMs.delete(peer)
    }
  }

  onTick(step: Step, journey: Journey): void {
    for (const offer of this.#offers.values()) {
      const dueMonoMs = Math.min(offer.nextMonoMs, offer.lateMonoMs)
      if (dueMonoMs <= step.now.monoMs) {
        this.#lateness.ran(dueMonoMs, step.now.monoMs)
        this.#round(step, journey, offer)
      }
      this.#wake(step, offer)
    }
  }

  #of(release: ReleaseId, channel: Channel, job: FetchJob | undefined): Offer {
    const known = this.#offers.get(release)
    if (known !== undefined) return known
    const offer: Offer = {
      release,
      channel,
      job,
      log: [],
      told: new Map(),
      retoldMonoMs: new Map(),
      few: true,
      nextMonoMs: NEVER,
      late: 0,
      lateMonoMs: NEVER,
    }
    this.#offers.set(release, offer)
    return offer
  }

  #soon(step: Step, offer: Offer, delayMs: number): void {
    offer.nextMonoMs = Math.min(offer.nextMonoMs, step.now.monoMs + delayMs)
    this.#wake(step, offer)
  }

  #wake(step: Step, { nextMonoMs, lateMonoMs }: Offer): void {
    const wakeMonoMs = Math.min(nextMonoMs, lateMonoMs)
    if (wakeMonoMs !== NEVER) step.wakeAt(wakeMonoMs)
  }

  #round(step: Step, journey: Journey, offer: Offer): void {
    const latest = isAll(offer, this.#config.limits) ? EVERYTHING : offer.log.length
    const isNext = offer.nextMonoMs <= step.now.monoMs
    // Where only a place for one more neighbour is due, those that were told already wait for what is next.
    const waits = ({ peer }: AdmittedSession) =>
      offer.few && !isNext && offer.told.has(peer) && !this.#askers.has(offer.release, peer)
    const behind = [...journey.admitted()].filter(
      (session) => this.#lacks(journey, offer, session, latest) && !waits(session),
    )
    if (isNext) offer.nextMonoMs = NEVER
    // Further pages may have named many.
    if (!offer.few) offer.lateMonoMs = NEVER
    const due = offer.few ? this.#few(step, offer, behind) : behind
    const postponed = this.#lateness.isCrowded ? this.#postponed(offer, due) : NONE
    for (const session of due) {
      if (postponed.has(session)) continue
      this.#tell(step, offer, session.peer)
      offer.told.set(session.peer, latest)
      this.#askers.told(offer.release, session.peer)
    }
    if (postponed.size > 0)
      this.#soon(step, offer, Math.max(this.#config.limits.havePauseMs, this.#lateness.pauseMs))
    if (offer.job !== undefined || Math.min(offer.nextMonoMs, offer.lateMonoMs) !== NEVER) return
    this.#offers.delete(offer.release)
    this.#askers.drop(offer.release)
  }

  /**
   * Who hears later, with the next block or after a pause: all but those that asked and the few that were told least. To
   * whom there is nothing to say takes nobody's place.
   */
  #postponed(offer: Offer, due: readonly AdmittedSession[]): ReadonlySet<AdmittedSession> {
    const waiting = due.filter(({ peer }) => !this.#hasAsked(offer, peer) && this.#hasNewsFor(offer, peer))
    const toldOf = ({ peer }: AdmittedSession) => offer.told.get(peer) ?? 0
    const leastFirst = shuffled(waiting, this.#config.random).sort((a, b) => toldOf(a) - toldOf(b))
    return new Set(leastFirst.slice(CROWD_OFFERS))
  }

  /**
   * Whoever was told a part hears the rest, whoever asked hears of it; others as there are places, first those that are
   * known to have nothing.
   */
  #few(step: Step, offer: Offer, behind: readonly AdmittedSession[]): readonly AdmittedSession[] {
    const { limits, random } = this.#config
    const isFirst = offer.told.size === 0 && offer.late === 0
    const isLate = offer.lateMonoMs <= step.now.monoMs
    if (isLate) offer.late += 1
    const pauseMs = Math.max(limits.fewPauseMs, this.#lateness.pauseMs)
    if (isFirst || isLate) offer.lateMonoMs = step.now.monoMs + pauseMs * 2 ** offer.late
    // While something is missing here all may have to know, so that those who bring the rest do.
    if (isAll(offer, limits) && offer.late >= limits.lateOffers) offer.lateMonoMs = NEVER
    const holders = this.#sources.of(offer.release)
    const places = limits.offersAtOnce + offer.late - offer.told.size
    const isDue = ({ peer }: AdmittedSession) => offer.told.has(peer) || this.#askers.has(offer.release, peer)
    const others = shuffled(
      behind.filter((session) => !isDue(session)),
      random,
    )
    const empty = others.filter(({ peer }) => !holders.knows(peer))
    const rest = others.filter(({ peer }) => holders.knows(peer))
    return [...behind.filter(isDue), ...[...empty, ...rest].slice(0, Math.max(0, places))]
  }

  #lacks(journey: Journey, offer: Offer, { peer, hello }: AdmittedSession, latest: number): boolean {
    if (hello.submit || hello.region !== journey.region) return false
    const holders = this.#sources.of(offer.release)
    if ((offer.told.get(peer) ?? 0) >= latest || holders.isWhole(peer)) return false
    if (offer.few && offer.log.length > 0 && offer.log.every((place) => holders.has(peer, place)))
      return false
    return matchesAny(hello.patterns, offer.channel)
  }

  /** And was not told since. */
  #hasAsked({ release, told, retoldMonoMs }: Offer, peer: PeerId): boolean {
    return this.#askers.has(release, peer) || (retoldMonoMs.has(peer) && told.get(peer) === 0)
  }

  /** As `#newsFor`, for many at once: of a large release to put all that is new in order takes milliseconds. */
  #hasNewsFor(offer: Offer, peer: PeerId): boolean {
    if (isAll(offer, this.#config.limits)) return true
    const isNew = this.#isNewTo(offer, peer)
    for (let at = offer.told.get(peer) ?? 0; at < offer.log.length; at += 1)
      if (isNew(offer.log[at] as number)) return true
    return false
  }

  #newsFor(offer: Offer, peer: PeerId): readonly number[] {
    const news = offer.log.slice(offer.told.get(peer) ?? 0).filter(this.#isNewTo(offer, peer))
    return news.sort((a, b) => a - b)
  }

  /** Of what it was not told yet: what it has not itself. It may have lost what it had: whoever asks hears all. */
  #isNewTo({ release, retoldMonoMs }: Offer, peer: PeerId): (place: number) => boolean {
    if (retoldMonoMs.has(peer)) return () => true
    const holders = this.#sources.of(release)
    return (place) => !holders.has(peer, place)
  }

  #tell(step: Step, offer: Offer, peer: PeerId): void {
    const { release, channel } = offer
    const whole = isAll(offer, this.#config.limits)
    const ranges = whole ? [] : rangesOf(this.#newsFor(offer, peer))
    if (!whole && ranges.length === 0) return
    // Whoever is new to a node that has much hears it in several messages.
    for (let at = 0; at === 0 || at < ranges.length; at += MAX_RANGES) {
      const some = whole ? {} : { ranges: ranges.slice(at, at + MAX_RANGES) }
      const message = { type: 'holds', release, channel, whole, ...some } as const
      const request = { protocol: 'blocks', message } as const
      const timeoutMs = this.#config.limits.blockDeadlineMs
      step.emit({ kind: 'request', id: step.nextRequest(), peer, request, timeoutMs })
      step.emit({ kind: 'count', metric: 'offers', by: 1 })
    }
  }
}

/**
 * One block and its page, or a page alone: whoever has the page has the block a moment later. Or two that are no more than
 * one may be, and enter by one gateway as well: where several bring parts in, each has to say which. To say each costs twice
 * as many messages, which are most of what such a release costs, and saves a round trip within the region. All on the disk
 * are the whole, be that on record or not: where the disk is slow others need not wait for that.
 */
const isSaidAtOnce = ({ nextPage, digests, release }: FetchJob, limits: Limits): boolean =>
  nextPage === undefined &&
  (digests.length <= 2 ||
    (digests.length <= limits.singleEntryBlocks && release.header.bytes <= limits.maxBlockBytes))

/** All of it is here. */
const isAll = ({ job }: Offer, limits: Limits): boolean =>
  job === undefined || (isSaidAtOnce(job, limits) && job.isComplete)

/** What is here is said already, or about to be. */
const isAnySaid = ({ job, log }: Offer, limits: Limits): boolean =>
  log.length > 0 && (job === undefined || !isSaidAtOnce(job, limits) || job.isComplete)

/** As many as were told before, or a few. */
export const isWorthTelling = (
  news: number,
  told: number,
  { haveAtOnce }: Pick<Limits, 'haveAtOnce'>,
): boolean => news >= Math.min(told, haveAtOnce)

/** What the neighbour told most has been told of the log. */
const toldMost = ({ told }: Offer): number => Math.max(0, ...told.values())
