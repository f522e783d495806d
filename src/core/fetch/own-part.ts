/** What this node is to bring into its region of each release: who else does of the same, and how far it is with that. */
import type { Limits } from '../../limits.ts'
import type { Digest, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Now } from '../events.ts'
import type { Journey } from '../journey.ts'
import { type AdmittedSession, storesChannel } from '../session.ts'
import { Entrants } from './entry.ts'
import type { FetchJob } from './job.ts'
import type { Sources } from './sources.ts'
import type { Views } from './views.ts'

/** Of one release, while the same gateways bring it in. */
export class OwnPart {
  readonly entrants: Entrants
  /** Blocks of the release that are known. */
  readonly blocksKnown: number
  readonly #job: FetchJob
  /** By ascending digest: every fetcher goes through its blocks in this order, so that a standing want is met soon. */
  readonly #places: readonly number[]
  /** How many of the first of them are here. */
  #done = 0
  /** `needed` of the job at the last look: once more was missing, what counted as here may be so no longer. */
  #needed: number

  constructor(job: FetchJob, entrants: Entrants, places: readonly number[]) {
    this.entrants = entrants
    this.blocksKnown = job.digests.length
    this.#job = job
    this.#places = places
    this.#needed = job.needed
  }

  /** With these, by ascending digest as well, which further pages have named: of those that were known few are looked at again. */
  joinedBy(further: readonly number[]): OwnPart {
    const { digests } = this.#job
    const places: number[] = []
    let at = 0
    const takeUpTo = (end: number) => {
      for (; at < end; at += 1) places.push(this.#places[at] as number)
    }
    for (const place of further) {
      takeUpTo(this.#after(digests[place] as Digest, at))
      places.push(place)
    }
    takeUpTo(this.#places.length)
    return new OwnPart(this.#job, this.entrants, places)
  }

  /** Where the digest would stand, from there on. */
  #after(digest: Digest, from: number): number {
    let [low, high] = [from, this.#places.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#job.digests[this.#places[middle] as number] as Digest) < digest) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Blocks, those that are here among them. */
  get size(): number {
    return this.#places.length
  }

  /** All of it is here. */
  get isDone(): boolean {
    this.#skipDone()
    return this.#done >= this.#places.length
  }

  /** From the first that is not here: no copy, and no look at those that are, of which there may be a million. */
  *left(): Iterable<number> {
    this.#skipDone()
    for (let at = this.#done; at < this.#places.length; at += 1) yield this.#places[at] as number
  }

  /** From the same, so many. */
  next(most: number): readonly number[] {
    this.#skipDone()
    return this.#places.slice(this.#done, this.#done + most)
  }

  #skipDone(): void {
    const { needed, missing, digests } = this.#job
    if (this.#needed !== needed) [this.#needed, this.#done] = [needed, 0]
    const isHere = (place: number) => !missing.has(digests[place] as Digest)
    while (this.#done < this.#places.length && isHere(this.#places[this.#done] as number)) this.#done += 1
  }
}

export class OwnParts {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #views: Views
  readonly #parts = new WeakMap<FetchJob, OwnPart>()
  /** Since when nobody of the region but seeds is linked; of a release, nobody who stores its channel. */
  #aloneMonoMs: number | undefined
  readonly #aloneWith = new WeakMap<FetchJob, number>()

  constructor(config: CoreConfig, sources: Sources, views: Views) {
    this.#config = config
    this.#sources = sources
    this.#views = views
  }

  /** Whom it is linked with by now. */
  lookAround(journey: Journey, monoMs: number): void {
    this.#aloneMonoMs =
      nearOf(journey.admitted(), journey.region).length > 0 ? undefined : (this.#aloneMonoMs ?? monoMs)
  }

  /** As of the last look. */
  of(job: FetchJob): OwnPart | undefined {
    return this.#parts.get(job)
  }

  look(journey: Journey, job: FetchJob, sessions: readonly AdmittedSession[], now: Now): OwnPart {
    const known = this.#parts.get(job)
    const entrants = this.#storing(journey, job, sessions, now, known?.entrants)
    const isSame = known?.entrants.sameAs(entrants.peers) === true
    if (isSame && known.blocksKnown === job.digests.length) return known
    // That one node brings all in shows with the last page, and is true of what was known before, too.
    const part =
      isSame && !this.isSingle(job)
        ? known.joinedBy(this.#own(job, entrants, known.blocksKnown))
        : new OwnPart(job, entrants, this.#own(job, entrants, 0))
    this.#parts.set(job, part)
    return part
  }

  /** From this place on, by ascending digest: to reckon a block takes a mix of bits for each gateway, with each page for all of them seconds. */
  #own(job: FetchJob, entrants: Entrants, from: number): readonly number[] {
    const { digests } = job
    const places: number[] = []
    for (let place = from; place < digests.length; place += 1)
      if (entrants.fetcher(this.key(job, digests[place] as Digest)) === this.#config.self) places.push(place)
    return places.sort((a, b) => ((digests[a] as Digest) < (digests[b] as Digest) ? -1 : 1))
  }

  /**
   * What elects a block's fetchers: its digest, and for a release of very few blocks that of its first page. Whoever has
   * read the manifest brings in the rest at once, and no other gateway has to learn first that there is something to bring.
   */
  key(job: FetchJob, digest: Digest): Digest {
    return (this.isSingle(job) ? job.release.header.pages[0] : undefined) ?? digest
  }

  /** One node brings all of it in. */
  isSingle(job: FetchJob): boolean {
    return job.nextPage === undefined && job.digests.length <= this.#config.limits.singleEntryBlocks
  }

  /**
   * Gateways that are known not to store the channel, by their hello or their own record, to have lied or to give nothing,
   * bring nothing of it in. Where none is left each node that stores it does. So does one that reaches nobody but seeds: what
   * others bring in does not come to it.
   */
  #storing(
    journey: Journey,
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    now: Now,
    known: Entrants | undefined,
  ): Entrants {
    const { self } = this.#config
    const all = this.#views.of(journey, journey.region, now)
    const near = nearOf(sessions, journey.region)
    if (all.peers.length === 0 || this.#isAlone(journey, job, near, now)) {
      // None is known yet: the nearest there are, so that a fleet of a few nodes works from its first second.
      const peers = [self, ...near.map(({ peer }) => peer)]
      // The same from one look to the next: each is a hash.
      return known?.sameAs(peers) === true ? known : new Entrants(peers)
    }
    const serves = (peer: PeerId) =>
      !this.#sources.fails(peer) && sessions.some((session) => session.peer === peer)
    const mayStore = (peer: PeerId) => {
      const patterns = journey.patternsOf(peer)
      return patterns === undefined || storesChannel(patterns, job.channel)
    }
    const isFit = (peer: PeerId) => (this.#views.isConnected(peer) ? serves(peer) : mayStore(peer))
    const fit = all.peers.filter((peer) => peer === self || isFit(peer))
    if (fit.length === all.peers.length) return all
    const peers = fit.length > 0 ? fit : [self]
    return known?.sameAs(peers) === true ? known : new Entrants(peers)
  }

  /** For as long as a dial may take: a node that joins, or has lost its links, is linked by then, and all have one copy. */
  #isAlone(journey: Journey, job: FetchJob, near: readonly AdmittedSession[], { monoMs }: Now): boolean {
    if (near.length > 0) {
      this.#aloneWith.delete(job)
      return false
    }
    this.lookAround(journey, monoMs)
    const since = this.#aloneWith.get(job) ?? monoMs
    this.#aloneWith.set(job, since)
    return monoMs - Math.min(since, this.#aloneMonoMs ?? monoMs) >= this.#config.limits.dialDeadlineMs
  }
}

const nearOf = (sessions: Iterable<AdmittedSession>, region: string): AdmittedSession[] =>
  [...sessions].filter(({ hello }) => !hello.submit && hello.region === region)

/**
 * Blocks that a node which lacks some of its own part may have under way from neighbours: its link is for these first, all
 * of its region, and regions behind it, wait for them. The more so where neighbours have got far ahead of it, so that its
 * link is slower than theirs.
 * @param have blocks that it has
 * @param spread blocks that two neighbours announce
 */
export const mostNear = (
  have: number,
  spread: number,
  { haveAtOnce, maxWantsPerSeed }: Pick<Limits, 'haveAtOnce' | 'maxWantsPerSeed'>,
): number => (2 * have < spread ? haveAtOnce : maxWantsPerSeed)
