/**
 * Which block to ask whom for next. Inside a region a random block among those a free neighbour announces; what only
 * the elected fetcher brings in, from the seed or over the border; and what nobody announces for too long, from
 * whoever may have it.
 */
import type { Digest, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import { shuffled } from '../degree.ts'
import type { Now } from '../events.ts'
import type { Journey } from '../journey.ts'
import { Recent } from '../recent.ts'
import { type AdmittedSession, regionOf, storesChannel } from '../session.ts'
import { Entrants, parentRegion } from './entry.ts'
import type { FetchJob } from './job.ts'
import type { Patience } from './patience.ts'
import type { Sources } from './sources.ts'
import { manyAt, turnAt } from './turns.ts'

export interface Choice {
  readonly digest: Digest
  readonly peer: PeerId
  /** Over a border. */
  readonly border: boolean
  readonly seed: boolean
  /** Another's to bring in, asked of the seed in case that one is dead. */
  readonly takeOver?: true
  /** The seed is told that whom it sent this node to does not bring it. */
  readonly inVain?: true
}

/** How long a view of the regions' gateways is used before it is asked for again. */
const VIEW_MS = 250
/** Own blocks looked at in one go for which nobody is free. */
const MAX_VAIN = 16
/** Places looked at in one go for what other fetchers have not brought in: the next go begins elsewhere. */
const MAX_LOOKS = 512

/** Peers that may be asked, and the seeds among them: looked up once for all places of a go. */
interface Around {
  readonly sessions: readonly AdmittedSession[]
  readonly seeds: readonly AdmittedSession[]
  /** The region of the seeds: this one where there is any here. Undefined: none was ever linked. */
  readonly home: string | undefined
}

/** Blocks of one job that this node brings into its region, and how far it is with asking for them. */
interface Entry {
  readonly entrants: Entrants
  readonly digests: number
  /** Places by ascending digest: every fetcher goes through its blocks in this order, so that a standing want is met soon. */
  readonly places: readonly number[]
  /** How many of the first of them are here. */
  done: number
}

export class Chooser {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #entries = new WeakMap<FetchJob, Entry>()
  readonly #entrants = new Map<string, { readonly entrants: Entrants; readonly untilMonoMs: number }>()
  #connected: ReadonlySet<PeerId> = new Set()
  /** Connections that ended, until the peer's heartbeat would be missed by all. */
  readonly #gone: Recent<PeerId>
  #regions: { readonly names: readonly string[]; readonly untilMonoMs: number } | undefined
  /** The region of the seeds that were linked last: that it is fed from there is true while none of them is, too. */
  #home: string | undefined

  constructor(config: CoreConfig, sources: Sources) {
    this.#config = config
    this.#sources = sources
    this.#gone = new Recent(config.limits.maxKnownPeers, config.limits.heartbeatLiveMs)
  }

  /**
   * Peers that may be asked for this release, those that gave something first, else in a random order. Also those that do
   * not store its channel, where they announced something of it: content is the same under any channel, and whoever is
   * believed is asked, or its word would keep a block from being asked for elsewhere for ever.
   */
  candidates(journey: Journey, job: FetchJob): readonly AdmittedSession[] {
    const holders = this.#sources.of(job.release.id)
    const fit = [...journey.admitted()].filter(
      ({ peer, hello }) =>
        !holders.isLiar(peer) && (storesChannel(hello.patterns, job.channel) || holders.knows(peer)),
    )
    // Seeds rely on seeds, and everyone on whoever gave something before; whoever was asked in vain comes last.
    const place = ({ peer, hello }: AdmittedSession): number =>
      hello.submit && this.#config.submit
        ? 0
        : this.#sources.isProven(peer)
          ? 1
          : this.#sources.counts(peer)
            ? 2
            : 3
    return shuffled(fit, this.#config.random).sort((a, b) => place(a) - place(b))
  }

  /** From neighbours that announced it; a seed asks other seeds whether they announced anything or not. */
  pull(job: FetchJob, session: AdmittedSession, monoMs: number): Choice | undefined {
    const { submit, random } = this.#config
    const { peer, hello } = session
    if (!this.#sources.isFree(peer, this.#most(session), monoMs)) return undefined
    const holders = this.#sources.of(job.release.id)
    // Whoever is no seed has its blocks from one through the fetchers alone. Seeds announce nothing, unless they lie.
    if (hello.submit && !submit && !holders.knows(peer)) return undefined
    const place =
      hello.submit && submit
        ? job.open.pick(undefined, random())
        : (this.#ownOf(job, peer) ?? holders.pick(peer, job.open, random()))
    return place === undefined ? undefined : this.#choice(job, place, session)
  }

  /**
   * Of what this node is to bring in and others have by now, the next that this peer has: other regions wait for it here,
   * in this order, and would do so until the end where this node's link is slow.
   */
  #ownOf(job: FetchJob, peer: PeerId): number | undefined {
    const entry = this.#entries.get(job)
    if (entry === undefined) return undefined
    this.#skipDone(job, entry)
    const holders = this.#sources.of(job.release.id)
    return entry.places
      .slice(entry.done, entry.done + MAX_VAIN)
      .find((place) => job.open.has(place) && holders.has(peer, place))
  }

  #skipDone(job: FetchJob, entry: Entry): void {
    const isMissing = (place: number | undefined) =>
      place !== undefined && job.missing.has(job.digests[place] as Digest)
    while (entry.done < entry.places.length && !isMissing(entry.places[entry.done])) entry.done += 1
  }

  /** What this node is to bring into its region and nobody here announces. */
  *entry(
    journey: Journey,
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    now: Now,
    { doubtMs, stuckMs }: Pick<Patience, 'doubtMs' | 'stuckMs'>,
  ): Iterable<Choice> {
    if (this.#config.submit || job.open.count === 0) return
    const holders = this.#sources.of(job.release.id)
    // Where the seed is near it gives each block once, whoever asks: there only those who gave something are waited for.
    const around = this.#around(sessions, journey.region)
    const isHome = around.home === journey.region
    const relied = isHome ? this.#sources.isProven : this.#sources.counts
    const entry = this.#entry(journey, job, sessions, now)
    // Of many blocks fetchers take over from one another once each has its own share, see below.
    const isFew = job.digests.length <= this.#config.limits.fewBlocks
    const places = isHome && isFew ? this.#places(job, entry, now, stuckMs) : entry.places
    let vain = 0
    for (const place of places) {
      if (!job.open.has(place) || holders.announced(place, relied)) continue
      const digest = job.digests[place] as Digest
      if (!this.#mayAskAgain(job, digest, now.monoMs, stuckMs)) continue
      const from = this.#upstream(journey, this.#key(job, digest), around, now)
      if (from !== undefined) yield this.#choice(job, place, from)
      else if (++vain >= MAX_VAIN) return
    }
    if (isHome) yield* this.#takeOver(job, entry, around, now, doubtMs)
  }

  /**
   * A fetcher at home that has all of its own share asks the seed for what is nobody's yet: whoever should bring it in
   * may have died unseen, and the seed may not live until that shows. What was given to that one the seed gives to no
   * other unless it doubts, too (`copies.ts`), so that asking costs a message and no block.
   */
  *#takeOver(
    job: FetchJob,
    entry: Entry,
    { seeds, home }: Around,
    now: Now,
    doubtMs: number,
  ): Iterable<Choice> {
    const { limits, random, self } = this.#config
    if (job.digests.length <= limits.fewBlocks || !entry.entrants.peers.includes(self)) return
    if (now.monoMs - job.sinceMonoMs < doubtMs) return
    const near = seeds.filter(({ hello }) => regionOf(hello.region) === home)
    const seed = near.find(({ peer }) => this.#sources.isFree(peer, limits.maxWantsPerSeed, now.monoMs))
    this.#skipDone(job, entry)
    // Its own blocks come first, and while they do, the others' do as well.
    if (seed === undefined || entry.done < entry.places.length) return
    const holders = this.#sources.of(job.release.id)
    // However busy: held is held. What only a silent one has is as good as lost.
    const inTime = (peer: PeerId) => !this.#sources.isLate(peer, doubtMs, now.monoMs)
    const places = job.digests.length
    const first = Math.floor(random() * places)
    for (let step = 0; step < Math.min(places, MAX_LOOKS); step += 1) {
      const place = (first + step) % places
      const digest = job.digests[place] as Digest
      if (!job.missing.has(digest) || holders.announced(place, inTime)) continue
      if ((job.leftTo.get(digest)?.untilMonoMs ?? 0) > now.monoMs) continue
      if (!this.#sources.isFree(seed.peer, limits.maxWantsPerSeed, now.monoMs)) return
      yield { ...this.#choice(job, place, seed), takeOver: true }
    }
  }

  /** The node's own part; and while nothing comes, in turn, that of others who should bring it and do not. */
  *#places(job: FetchJob, { entrants, places }: Entry, now: Now, stuckMs: number): Iterable<number> {
    yield* places
    const { self, random } = this.#config
    const turn = turnAt(now.monoMs - job.progressMonoMs, stuckMs)
    for (let looked = 0; turn > 0 && looked < MAX_VAIN; looked += 1) {
      const place = job.open.pick(undefined, random())
      if (place === undefined) return
      const key = this.#key(job, job.digests[place] as Digest)
      if (entrants.rank(key, self) < manyAt(turn)) yield place
    }
  }

  /** The one that a seed sent us to may be gone, or silent: once it counts as that and nothing comes, the seed is told so. */
  #mayAskAgain(job: FetchJob, digest: Digest, monoMs: number, stuckMs: number): boolean {
    const again = job.redirected.get(digest)
    if (again === undefined) return true
    return monoMs >= again.atMonoMs && monoMs - job.progressMonoMs >= stuckMs
  }

  /**
   * Somebody who may have what nobody announces: a seed first, or else one of another region. Whoever is near would have
   * said so.
   */
  rescue(
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    monoMs: number,
    stuckMs: number,
  ): Choice | undefined {
    const holders = this.#sources.of(job.release.id)
    const place = job.open.pick(undefined, this.#config.random())
    if (place === undefined || holders.announced(place, this.#sources.counts)) return undefined
    if (!this.#mayAskAgain(job, job.digests[place] as Digest, monoMs, stuckMs)) return undefined
    const free = sessions.filter((session) => this.#sources.isFree(session.peer, this.#most(session), monoMs))
    const from = free.find(({ hello }) => hello.submit) ?? free.find((one) => this.#isFar(one)) ?? free[0]
    return from === undefined ? undefined : this.#choice(job, place, from)
  }

  #most(session: AdmittedSession): number {
    const { maxWantsPerSeed, maxWantsPerPeer } = this.#config.limits
    return session.hello.submit || this.#isFar(session) ? maxWantsPerSeed : maxWantsPerPeer
  }

  #isFar({ hello }: AdmittedSession): boolean {
    return regionOf(hello.region) !== regionOf(this.#config.region)
  }

  #choice(job: FetchJob, place: number, session: AdmittedSession): Choice {
    const { peer, hello } = session
    return { digest: job.digests[place] as Digest, peer, border: this.#isFar(session), seed: hello.submit }
  }

  #around(sessions: readonly AdmittedSession[], region: string): Around {
    const seeds = sessions.filter(({ hello }) => hello.submit)
    this.#home = homeOf(seeds, region) ?? this.#home
    return { sessions, seeds, home: this.#home }
  }

  /** The seed at home, or the fetcher of the region that feeds this one; it is free, or nobody is. */
  #upstream(
    journey: Journey,
    key: Digest,
    { sessions, seeds, home }: Around,
    now: Now,
  ): AdmittedSession | undefined {
    const free = (session: AdmittedSession) =>
      this.#sources.isFree(session.peer, this.#config.limits.maxWantsPerSeed, now.monoMs)
    const parent =
      home === undefined
        ? undefined
        : parentRegion(
            key,
            journey.region,
            home,
            this.#names(journey, now),
            this.#config.limits.exportRegions,
          )
    if (parent !== undefined) {
      const except = new Set<PeerId>()
      // The fetcher there, or its successor while it is left alone; after two the seed.
      for (let tries = 0; tries < 2; tries += 1) {
        const peer = this.#of(journey, parent, now).fetcher(key, except)
        const session = sessions.find((one) => one.peer === peer)
        if (session !== undefined && free(session)) return session
        if (session !== undefined && !this.#sources.isAvoided(session.peer, now.monoMs)) return undefined
        if (peer !== undefined) except.add(peer)
      }
    }
    return seeds.filter(free).sort((a, b) => this.#sources.load(a.peer) - this.#sources.load(b.peer))[0]
  }

  #entry(journey: Journey, job: FetchJob, sessions: readonly AdmittedSession[], now: Now): Entry {
    const known = this.#entries.get(job)
    const entrants = this.#storing(this.#of(journey, journey.region, now), sessions, known?.entrants)
    if (known?.digests === job.digests.length && known.entrants.sameAs(entrants.peers)) return known
    const { self } = this.#config
    const places = job.digests
      .map((digest, place) => ({ digest, place }))
      .filter(({ digest }) => entrants.fetcher(this.#key(job, digest)) === self)
      .sort((a, b) => (a.digest < b.digest ? -1 : 1))
      .map(({ place }) => place)
    const entry = { entrants, digests: job.digests.length, places, done: 0 }
    this.#entries.set(job, entry)
    return entry
  }

  /** Gateways that are known not to store the channel, to have lied or to give nothing, bring nothing of it in. */
  #storing(all: Entrants, sessions: readonly AdmittedSession[], known: Entrants | undefined): Entrants {
    const { self, region } = this.#config
    if (all.peers.length === 0) {
      // None is known yet: the nearest there are, so that a fleet of a few nodes works from its first second.
      const near = sessions.filter(
        ({ hello }) => !hello.submit && regionOf(hello.region) === regionOf(region),
      )
      const peers = [self, ...near.map(({ peer }) => peer)]
      // The same from one look to the next: each is a hash.
      return known?.sameAs(peers) === true ? known : new Entrants(peers)
    }
    const serves = (peer: PeerId) =>
      !this.#sources.fails(peer) && sessions.some((session) => session.peer === peer)
    const fit = all.peers.filter((peer) => peer === self || !this.#connected.has(peer) || serves(peer))
    if (fit.length === all.peers.length) return all
    const peers = fit.length > 0 ? fit : [self]
    return known?.sameAs(peers) === true ? known : new Entrants(peers)
  }

  #of(journey: Journey, region: string, now: Now): Entrants {
    const known = this.#entrants.get(region)
    if (known !== undefined && known.untilMonoMs > now.monoMs) return known.entrants
    this.#connected = new Set([...journey.admitted()].map(({ peer }) => peer))
    const isGone = (peer: PeerId) => !this.#connected.has(peer) && this.#gone.has(peer, now.monoMs)
    const peers = journey.gateways(region).filter((peer) => !isGone(peer))
    const entrants = known?.entrants.sameAs(peers) ? known.entrants : new Entrants(peers)
    this.#entrants.set(region, { entrants, untilMonoMs: now.monoMs + VIEW_MS })
    return entrants
  }

  /**
   * What elects a block's fetchers: its digest, and for a release of very few blocks that of its first page. Whoever has
   * read the manifest brings in the rest at once, and no other gateway has to learn first that there is something to bring.
   */
  #key(job: FetchJob, digest: Digest): Digest {
    const isSingle = job.nextPage === undefined && job.digests.length <= this.#config.limits.singleEntryBlocks
    return (isSingle ? job.release.header.pages[0] : undefined) ?? digest
  }

  #names(journey: Journey, now: Now): readonly string[] {
    if (this.#regions === undefined || this.#regions.untilMonoMs <= now.monoMs)
      this.#regions = { names: journey.regions(), untilMonoMs: now.monoMs + VIEW_MS }
    return this.#regions.names
  }

  /** Its part falls to others at once, where its end was seen. */
  onDisconnected(peer: PeerId, monoMs: number): void {
    this.#gone.add(peer, monoMs)
    this.forgetViews()
  }

  onAdmitted(journey: Journey): void {
    this.forgetViews()
    this.#around([...journey.admitted()], journey.region)
  }

  /** Who is connected has changed. */
  forgetViews(): void {
    this.#entrants.clear()
    this.#regions = undefined
  }
}

/** This one where any of the seeds is here. */
function homeOf(seeds: readonly AdmittedSession[], region: string): string | undefined {
  const regions = seeds.map(({ hello }) => regionOf(hello.region)).sort()
  return regions.includes(region) ? region : regions[0]
}
