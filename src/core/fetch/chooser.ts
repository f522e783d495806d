/**
 * Which block to ask whom for next. Inside a region a random block among those a free neighbour announces, what it alone has first; what only
 * the elected fetcher brings in, from the seed or over the border; and what nobody announces for too long, from
 * whoever may have it.
 */
import type { Digest, PeerId } from '../../model/ids.ts'
import type { BorderDuty } from '../border-duty.ts'
import type { CoreConfig } from '../config.ts'
import type { Now } from '../events.ts'
import type { Journey } from '../journey.ts'
import type { AdmittedSession } from '../session.ts'
import type { FetchJob } from './job.ts'
import { IN_VAIN_MS } from './own-pace.ts'
import { mostNear, type OwnPart, OwnParts } from './own-part.ts'
import { type Patience, type Way, wayTo } from './patience.ts'
import { Ranking } from './ranking.ts'
import type { Sources } from './sources.ts'
import { manyAt, turnAt } from './turns.ts'
import { type Around, type IsOpen, Upstream } from './upstream.ts'
import { Views } from './views.ts'

export interface Choice {
  readonly digest: Digest
  readonly peer: PeerId
  readonly way: Way
  readonly seed: boolean
  /** Another's to bring in, asked of the seed in case that one is dead. */
  readonly takeOver?: true
  /** The seed is told that whom it sent this node to does not bring it. */
  readonly inVain?: true
  /** Nobody announces it, nor is it this node's to bring in. */
  readonly rescue?: true
  /** Those before it in line are too busy: it is to take it whatever waits there. */
  readonly last?: true
}

/** Without a block for so long something else is done; and what may be asked of whom. */
type Going = Pick<Patience, 'doubtMs' | 'stuckMs' | 'failMs' | 'rescueMs'> & {
  /** It does not bring what it was given. */
  readonly isMute: (peer: PeerId) => boolean
  readonly isOpen: IsOpen
  /** Blocks of the release asked of seeds here. */
  readonly underWay: () => number
}

/** When a seed is asked once more for what it has given another. */
export type Again = Pick<Going, 'failMs' | 'isMute'>

/** What a gateway has to bring in first of a job. */
export interface JobDuty {
  /** Places that other regions wait for here, and at a seed its own. */
  readonly awaited: readonly number[]
  /** Blocks that may be under way from neighbours; beyond, what is awaited here and its own part alone. */
  readonly mostNear: number
}

/** Own blocks looked at in one go for which nobody is free. */
export const MAX_VAIN = 16
/** Places looked at in one go for what other fetchers have not brought in: the next go begins elsewhere. */
const MAX_LOOKS = 512

export class Chooser {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #ownParts: OwnParts
  readonly #views: Views
  readonly #upstream: Upstream
  readonly #duty: BorderDuty
  /** Linked neighbours of the own region. */
  #near: ReadonlySet<PeerId> = new Set()

  readonly isNear = (peer: PeerId): boolean => this.#near.has(peer)

  constructor(config: CoreConfig, sources: Sources, duty: BorderDuty) {
    this.#config = config
    this.#sources = sources
    this.#duty = duty
    this.#views = new Views(config)
    this.#upstream = new Upstream(config, sources, this.#views)
    this.#ownParts = new OwnParts(config, sources, this.#views)
  }

  /** For one go: whom `pull`, `bringIn` and `rescue` are then asked about. */
  ranking(journey: Journey): Ranking {
    const ranking = new Ranking(this.#config, this.#sources, journey.admitted())
    this.#near = ranking.near
    return ranking
  }

  /** From neighbours that announced it; a seed asks other seeds even for what they have not announced. */
  pull(
    job: FetchJob,
    session: AdmittedSession,
    monoMs: number,
    { awaited }: JobDuty,
    onlyOwn: boolean,
  ): Choice | undefined {
    const { submit, random } = this.#config
    const { peer, hello } = session
    if (!this.#sources.isFree(peer, this.#most(session), monoMs)) return undefined
    const holders = this.#sources.of(job.release.id)
    // Whoever is no seed has its blocks from one through the fetchers alone. Seeds announce nothing, unless they lie.
    if (hello.submit && !submit && !holders.knows(peer)) return undefined
    const isBlind = hello.submit && submit
    const isElsewhere = this.#elsewhere(session, monoMs)
    const own = isBlind ? awaited.find((place) => job.open.has(place)) : this.#ownOf(job, peer, awaited)
    if (own !== undefined && !holders.announced(own, isElsewhere)) return this.#choice(job, own, session)
    for (let looked = 0; looked < MAX_VAIN && !onlyOwn; looked += 1) {
      const place = isBlind ? job.open.pick(undefined, random()) : holders.pick(peer, job.open, random())
      if (place === undefined) return undefined
      if (!holders.announced(place, isElsewhere)) return this.#choice(job, place, session)
    }
    return undefined
  }

  /**
   * Whose word keeps a place from being asked of this one: what a neighbour has is not taken over the border, and what
   * anybody has not asked of a seed that was asked in vain.
   */
  #elsewhere({ peer, hello }: AdmittedSession, monoMs: number): (one: PeerId) => boolean {
    if (hello.submit)
      return this.#sources.counts(peer)
        ? () => false
        : (one) => one !== peer && this.#sources.gives(one, monoMs)
    if (this.#near.has(peer)) return () => false
    return (one) => this.#near.has(one) && this.#sources.gives(one, monoMs)
  }

  /**
   * Of what other regions wait for here, and of what this node is to bring in and others have by now, the next that this
   * peer has: it is awaited here in this order, and would be until the end where this node's link is slow.
   */
  #ownOf(job: FetchJob, peer: PeerId, awaited: readonly number[]): number | undefined {
    const holders = this.#sources.of(job.release.id)
    const isThere = (place: number): boolean => job.open.has(place) && holders.has(peer, place)
    const first = awaited.find(isThere)
    return first ?? this.#ownParts.of(job)?.next(MAX_VAIN).find(isThere)
  }

  /** For one go. */
  duty(job: FetchJob): JobDuty {
    const places = this.#duty.awaited.flatMap((digest) => job.place(digest) ?? [])
    return { awaited: places.filter((place) => job.open.has(place)), mostNear: this.#mostNear(job) }
  }

  #mostNear(job: FetchJob): number {
    const { limits } = this.#config
    const own = this.#ownParts.of(job)
    const places = job.digests.length
    if (own === undefined || places <= limits.fewBlocks) return limits.maxWants
    if (own.isDone) return limits.maxWants
    const have = places - job.missing.size
    return mostNear(have, this.#sources.of(job.release.id).spread(places), limits)
  }

  /** What this node is to bring into its region and nobody here announces. */
  *bringIn(
    journey: Journey,
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    now: Now,
    going: Going,
  ): Iterable<Choice> {
    const { rescueMs, isOpen, underWay } = going
    if (this.#config.submit || job.open.count === 0) return
    const holders = this.#sources.of(job.release.id)
    const isStuck = now.monoMs - job.progressMonoMs >= rescueMs
    const isOld = now.monoMs - job.sinceMonoMs >= this.#config.limits.dialDeadlineMs
    const around = this.#upstream.around(journey, job.channel, sessions, { isOpen, isStuck, isOld })
    const isHome = around.home === journey.region && around.seeds.length > 0
    // Where the seed is near it gives each block once, whoever asks: there only those who gave something are waited for.
    const relied = isHome ? this.#sources.isProven : this.#sources.counts
    const own = this.#ownParts.look(journey, job, sessions, now)
    // Of many blocks fetchers take over from one another once each has its own share, see below.
    const isFew = job.digests.length <= this.#config.limits.fewBlocks
    const places = isHome && isFew ? this.#places(job, own, now, going.stuckMs) : own.left()
    let vain = 0
    for (const place of places) {
      if (!job.open.has(place) || holders.announced(place, relied)) continue
      const digest = job.digests[place] as Digest
      if (around.seeds.length === 0 && job.isPostponed(digest, now.monoMs)) continue
      if (!this.#mayAskAgain(job, place, now.monoMs, going)) continue
      const tries = job.postponements(digest)
      const from = this.#upstream.of(journey, this.#ownParts.key(job, digest), around, now, tries)
      const isOfSeed = from?.session.hello.submit === true && !isFew
      if (isOfSeed && !this.#mayBringIn(job, own, around, underWay(), now)) return
      if (from !== undefined)
        yield { ...this.#choice(job, place, from.session), ...(from.last && { last: true }) }
      else if (++vain >= MAX_VAIN) return
      // Regions that are cut off may ask one another for what nobody has: that keeps nothing else from being asked for.
      if (from?.isDetour) job.postpone(digest, now.monoMs)
    }
    if (isHome) yield* this.#takeOver(job, own, around, now, going)
  }

  /** What it brought in others have by now, but for a part; or there is nobody here who wants it, for all that is known. */
  #mayBringIn(job: FetchJob, own: OwnPart, { sessions }: Around, underWay: number, { monoMs }: Now): boolean {
    if (!sessions.some(({ peer }) => this.#near.has(peer) && !this.#sources.takesNothing(peer))) return true
    const holders = this.#sources.of(job.release.id)
    const isElsewhere = (digest: Digest) =>
      holders.announced(job.place(digest) as number, this.#sources.counts)
    const mayAsk = job.ownPace.mayAsk({ own: own.size, underWay, now: monoMs }, isElsewhere)
    const sinceMonoMs = monoMs - IN_VAIN_MS
    for (const { peer, sinceMonoMs: linkedMonoMs } of job.ownPace.isInVain ? sessions : [])
      if (linkedMonoMs <= sinceMonoMs && this.#near.has(peer))
        this.#sources.tookNothing(job.release.id, peer, sinceMonoMs)
    return mayAsk
  }

  /**
   * A fetcher at home that has all of its own share asks the seed for what is nobody's yet: whoever should bring it in
   * may have died unseen, and the seed may not live until that shows. What was given to that one the seed gives to no
   * other unless it doubts, too (`copies.ts`), so that asking costs a message and no block.
   */
  *#takeOver(
    job: FetchJob,
    own: OwnPart,
    around: Around,
    now: Now,
    { doubtMs, underWay }: Pick<Going, 'doubtMs' | 'underWay'>,
  ): Iterable<Choice> {
    const { limits, random, self } = this.#config
    if (job.digests.length <= limits.fewBlocks || !own.entrants.peers.includes(self)) return
    if (now.monoMs - job.sinceMonoMs < doubtMs) return
    const { seeds, home, isOpen } = around
    const near = seeds.filter(({ hello }) => hello.region === home)
    const isFree = (one: AdmittedSession) =>
      isOpen(one) && this.#sources.isFree(one.peer, limits.maxWantsPerSeed, now.monoMs)
    const seed = near.find(isFree)
    // Its own blocks come first, and while they do, the others' do as well.
    if (seed === undefined || !own.isDone) return
    const holders = this.#sources.of(job.release.id)
    // However busy: held is held. What only a silent one has is as good as lost.
    const inTime = (peer: PeerId) => !this.#sources.isLate(peer, doubtMs, now.monoMs)
    const places = job.digests.length
    const first = Math.floor(random() * places)
    for (let looked = 0; looked < Math.min(places, MAX_LOOKS); looked += 1) {
      const place = (first + looked) % places
      const digest = job.digests[place] as Digest
      if (!job.missing.has(digest) || holders.announced(place, inTime)) continue
      if (job.isLeft(digest, now.monoMs)) continue
      if (!isFree(seed) || !this.#mayBringIn(job, own, around, underWay(), now)) return
      yield { ...this.#choice(job, place, seed), takeOver: true }
    }
  }

  /**
   * The node's own part; and while nothing comes, in turn, that of others who should bring it and do not. Of what one node
   * brings in as a whole the rest is for whoever was given some: who did not bring that does not bring the rest either.
   */
  *#places(job: FetchJob, own: OwnPart, now: Now, stuckMs: number): Iterable<number> {
    yield* own.left()
    const { self, random } = this.#config
    const turn = turnAt(now.monoMs - job.progressMonoMs, stuckMs)
    const isHeir = job.isEntered && this.#ownParts.isSingle(job)
    const holders = this.#sources.of(job.release.id)
    const isLeft = (place: number) => isHeir && !holders.announced(place, this.#sources.counts)
    for (let looked = 0; (isHeir || turn > 0) && looked < MAX_VAIN; looked += 1) {
      const place = job.open.pick(undefined, random())
      if (place === undefined) return
      const key = this.#ownParts.key(job, job.digests[place] as Digest)
      if (isLeft(place) || own.entrants.rank(key, self) < manyAt(turn)) yield place
    }
  }

  /**
   * The one that a seed sent us to may be gone, or silent: once it counts as that and nothing comes, the seed is told so, which
   * costs it a copy. Once it is dead others may come, but this block is nobody's; so, too, after two deadlines: one that gives
   * a block just before each would keep all that it was given for as long as the release has blocks.
   */
  #mayAskAgain(job: FetchJob, place: number, monoMs: number, { failMs, isMute }: Again): boolean {
    const again = job.redirected.get(job.digests[place] as Digest)
    if (again === undefined) return true
    const dueMs = monoMs - again.atMonoMs
    const isLost = isMute(again.to) || dueMs >= 2 * Math.max(failMs, this.#config.limits.blockDeadlineMs)
    if (isLost && !this.#sources.of(job.release.id).announced(place, this.#sources.counts)) return true
    return dueMs >= 0 && monoMs - job.progressMonoMs >= failMs
  }

  /**
   * Somebody who may have what nobody announces: a seed first, or else one of another region, where the way there is open;
   * of those that are far whoever was silent, or lacked something, last.
   * Whoever is near would have said so.
   */
  rescue(
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    monoMs: number,
    going: Again & Pick<Going, 'isOpen'>,
  ): Choice | undefined {
    const place = this.#unannounced(job, monoMs, going)
    if (place === undefined) return undefined
    const free = sessions.filter((session) => this.#sources.isFree(session.peer, this.#most(session), monoMs))
    const likely = free.filter((one) => one.hello.submit || this.#isFar(one))
    const open = likely.filter(going.isOpen)
    // One that is dead, and gives nothing, is free again by the next time.
    const far = open.filter(({ peer }) => this.#sources.answers(peer))
    const from =
      open.find((one) => one.hello.submit && !this.#isFar(one)) ??
      far.find(({ hello }) => hello.submit) ??
      far[0] ??
      open.find(({ hello }) => hello.submit) ??
      open[0] ??
      (likely.length === 0 ? free[0] : undefined)
    if (from === undefined || (this.#isFar(from) && !this.#crosses(job, sessions))) return undefined
    return { ...this.#choice(job, place, from), rescue: true }
  }

  /** Neighbours of whom none says what it has may all be dead: then nobody asks but this node. */
  #crosses(job: FetchJob, sessions: readonly AdmittedSession[]): boolean {
    if (!job.isHeard) return true
    const neighbours = sessions.filter(({ peer }) => this.#near.has(peer))
    return job.rescue.crosses(neighbours.length, this.#config.random)
  }

  /**
   * Of the seed near, which gives what nobody has had from it yet: while no gateway is known to bring any of it in. What it
   * gave another meanwhile is left to that one.
   */
  rescueOn(
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    monoMs: number,
    going: Again,
  ): Choice | undefined {
    const { self, limits } = this.#config
    const { maxWantsPerSeed } = limits
    const holders = this.#sources.of(job.release.id)
    const entrants = this.#ownParts.of(job)?.entrants.peers ?? [self]
    if (entrants.some((peer) => peer === self || holders.knows(peer))) return undefined
    const from = sessions.find(
      (one) =>
        one.hello.submit && !this.#isFar(one) && this.#sources.isFree(one.peer, maxWantsPerSeed, monoMs),
    )
    if (from === undefined) return undefined
    for (let looked = 0; looked < MAX_VAIN; looked += 1) {
      const place = this.#unannounced(job, monoMs, going)
      if (place !== undefined) return { ...this.#choice(job, place, from), rescue: true, takeOver: true }
    }
    return undefined
  }

  /** A random place that nobody announces, unless this one is announced, or left to whom a seed gave it. */
  #unannounced(job: FetchJob, monoMs: number, going: Again): number | undefined {
    const place = job.open.pick(undefined, this.#config.random())
    if (place === undefined || this.#sources.of(job.release.id).announced(place, this.#sources.counts))
      return undefined
    const digest = job.digests[place] as Digest
    if (job.isLeft(digest, monoMs)) return undefined
    return this.#mayAskAgain(job, place, monoMs, going) ? place : undefined
  }

  #most(session: AdmittedSession): number {
    const { maxWantsPerSeed, maxWantsPerPeer } = this.#config.limits
    return session.hello.submit || this.#isFar(session) ? maxWantsPerSeed : maxWantsPerPeer
  }

  #isFar(session: AdmittedSession): boolean {
    return wayTo(session, this.#config.region) === 'border'
  }

  #choice(job: FetchJob, place: number, session: AdmittedSession): Choice {
    const { peer, hello } = session
    const way = wayTo(session, this.#config.region)
    return { digest: job.digests[place] as Digest, peer, way, seed: hello.submit }
  }

  onDisconnected(peer: PeerId, monoMs: number): void {
    this.#views.onDisconnected(peer, monoMs)
  }

  onAdmitted(journey: Journey, monoMs: number): void {
    this.#ownParts.lookAround(journey, monoMs)
    this.#views.forget()
    this.#upstream.onAdmitted(journey)
  }
}
