/** From where what this node is to bring into its region comes. */
import type { Channel, Digest, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Now } from '../events.ts'
import type { Journey } from '../journey.ts'
import type { AdmittedSession } from '../session.ts'
import { type Entrants, fedInTurn, parentRegion } from './entry.ts'
import { Home } from './home.ts'
import type { Sources } from './sources.ts'
import type { Views } from './views.ts'

/** Peers that may be asked, and the seeds among them: looked up once for all places of a go. */
export interface Around {
  readonly sessions: readonly AdmittedSession[]
  readonly seeds: readonly AdmittedSession[]
  /** The region of the seeds that store the channel: this one where there is any here. Undefined: none was ever linked. */
  readonly home: string | undefined
  /** Whether the way to it is open: one that is not is no reason to wait where another is. */
  readonly isOpen: IsOpen
  /** Nothing has come for so long that nobody who is busy is waited for. */
  readonly isStuck: boolean
  /** It has been under way for so long that a seed that can be reached is linked. */
  readonly isOld: boolean
}

/** Of whom a block is to be asked. */
export interface From {
  readonly session: AdmittedSession
  /** All before it in line were too busy. */
  readonly last: boolean
  /** Of a region that does not feed this one. */
  readonly isDetour?: true
}

/** Gateways of the region that feeds this one, in line for a block, that fail: then the seed is asked. */
const MAX_FAILING = 2
/** Gateways that may put this node off: who is third in line takes the block, whatever waits there. */
export const MAX_PUT_OFF = 2

export type IsOpen = (session: AdmittedSession) => boolean

export class Upstream {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #views: Views
  readonly #home = new Home()

  constructor(config: CoreConfig, sources: Sources, views: Views) {
    this.#config = config
    this.#sources = sources
    this.#views = views
  }

  /** @param sessions of peers that store the channel */
  around(
    journey: Journey,
    channel: Channel,
    sessions: readonly AdmittedSession[],
    going: Pick<Around, 'isOpen' | 'isStuck' | 'isOld'>,
  ): Around {
    this.#home.under(journey.root())
    const seeds = sessions.filter(({ hello }) => hello.submit)
    return { sessions, seeds, home: this.#home.of(channel, seeds, journey.region), ...going }
  }

  onAdmitted(journey: Journey): void {
    this.#home.linked(journey.admitted())
  }

  /**
   * The seed at home, or a gateway of the region that feeds this one; it is free, or nobody is.
   * @param tries how often it was asked of other regions in vain
   */
  of(journey: Journey, key: Digest, around: Around, now: Now, tries: number): From | undefined {
    const { home } = around
    const { exportRegions } = this.#config.limits
    const names = this.#views.names(journey, now)
    const parent =
      home === undefined ? undefined : parentRegion(key, journey.region, home, names, exportRegions)
    const of =
      parent === undefined ? 'nobody' : this.#ofRegion(this.#views.of(journey, parent, now), key, around, now)
    if (of !== 'nobody' && of !== 'the seed') return of
    const load = ({ peer }: AdmittedSession): number => this.#sources.load(peer)
    const free = this.#seeds(journey.region, around, now).filter((seed) => this.#isFree(seed, around, now))
    const seed = free.sort((a, b) => load(a) - load(b))[0]
    if (seed !== undefined) return { session: seed, last: false }
    return around.seeds.length === 0 ? this.#ofOthers(journey, key, names, around, now, tries) : undefined
  }

  /**
   * Of other regions, home first and those that it feeds before the rest: who is cut off from where the block should come from
   * has it from whoever is not, which may be the second of them. Home itself waits for its seed, and a node that has just started
   * for one to be linked: a while, for that one may be gone for good, and another region have the next.
   */
  #ofOthers(
    journey: Journey,
    key: Digest,
    names: readonly string[],
    around: Around,
    now: Now,
    tries: number,
  ): From | undefined {
    const { home, isOld } = around
    if ((home === undefined || home === journey.region) && !isOld) return undefined
    const inTurn = [...(home === undefined ? [] : [home]), ...fedInTurn(key, home, names)]
    const regions = inTurn.filter((region) => region !== journey.region)
    const first = tries % Math.max(1, regions.length)
    for (const region of [...regions.slice(first), ...regions.slice(0, first)]) {
      const of = this.#ofRegion(this.#views.of(journey, region, now), key, around, now)
      if (of !== 'nobody' && of !== 'the seed') return of && { ...of, isDetour: true }
    }
    return undefined
  }

  /**
   * The fetcher there, or its successors while it is left alone; after two that fail the seed. Who is only busy has the
   * block, or is to get it: it does not cross the border from the seed as well, unless nothing comes that way.
   */
  #ofRegion(
    entrants: Entrants,
    key: Digest,
    around: Around,
    now: Now,
  ): From | 'the seed' | 'nobody' | undefined {
    const except = new Set<PeerId>()
    let [failing, putOff] = [0, 0]
    while (failing + putOff <= MAX_PUT_OFF && failing < MAX_FAILING) {
      const peer = entrants.fetcher(key, except)
      if (peer === undefined) break
      except.add(peer)
      const session = around.sessions.find((one) => one.peer === peer)
      // In a large fleet gateways have no room for all others: that one is not linked says nothing of the next.
      if (session === undefined) continue
      // To a seed that stands as gateway it would say that it was sent on in vain.
      if (this.#isFree(session, around, now))
        return { session, last: putOff === MAX_PUT_OFF && !session.hello.submit }
      if (!this.#sources.isAvoided(peer, now.monoMs)) return undefined
      if (this.#sources.isOnlyBusy(peer, now.monoMs)) putOff += 1
      else failing += 1
    }
    if (failing + putOff === 0) return 'nobody'
    return putOff > 0 && failing < MAX_FAILING && !around.isStuck ? undefined : 'the seed'
  }

  #isFree(session: AdmittedSession, { isOpen }: Around, now: Now): boolean {
    return (
      isOpen(session) && this.#sources.isFree(session.peer, this.#config.limits.maxWantsPerSeed, now.monoMs)
    )
  }

  /**
   * Those of this region: what a far one gives enters it a second time. All of them once each near one is silent, says
   * again and again that it has nothing, has been busy for long, or its way is closed.
   */
  #seeds(region: string, { seeds, isOpen }: Around, now: Now): readonly AdmittedSession[] {
    const near = seeds.filter(({ hello }) => hello.region === region)
    const isAwaited = (one: AdmittedSession) => isOpen(one) && this.#sources.isAwaited(one.peer, now.monoMs)
    return near.some(isAwaited) ? near : seeds
  }
}
