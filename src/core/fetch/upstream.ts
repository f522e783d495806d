/** From where what this node is to bring into its region comes. */
import type { Digest, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Now } from '../events.ts'
import type { Journey } from '../journey.ts'
import { type AdmittedSession, regionOf } from '../session.ts'
import { parentRegion } from './entry.ts'
import type { Sources } from './sources.ts'
import type { Views } from './views.ts'

/** Peers that may be asked, and the seeds among them: looked up once for all places of a go. */
export interface Around {
  readonly sessions: readonly AdmittedSession[]
  readonly seeds: readonly AdmittedSession[]
  /** The region of the seeds: this one where there is any here. Undefined: none was ever linked. */
  readonly home: string | undefined
  /** Whether the way to it is open: one that is not is no reason to wait where another is. */
  readonly isOpen: IsOpen
}

/** Of whom a block is to be asked. */
export interface From {
  readonly session: AdmittedSession
  /** All before it in line were too busy. */
  readonly last: boolean
}

/** Gateways of the region that feeds this one, in line for a block, that fail: then the seed is asked. */
const MAX_FAILING = 2
/** Gateways that may put this node off: who is third in line takes the block, whatever waits there. */
const MAX_PUT_OFF = 2

export type IsOpen = (session: AdmittedSession) => boolean

export class Upstream {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #views: Views
  /** The region of the seeds that were linked last: that it is fed from there is true while none of them is, too. */
  #home: string | undefined

  constructor(config: CoreConfig, sources: Sources, views: Views) {
    this.#config = config
    this.#sources = sources
    this.#views = views
  }

  around(sessions: readonly AdmittedSession[], region: string, isOpen: IsOpen): Around {
    const seeds = sessions.filter(({ hello }) => hello.submit)
    this.#home = homeOf(seeds, region) ?? this.#home
    return { sessions, seeds, home: this.#home, isOpen }
  }

  /** The seed at home, or a gateway of the region that feeds this one; it is free, or nobody is. */
  of(journey: Journey, key: Digest, { sessions, seeds, home, isOpen }: Around, now: Now): From | undefined {
    const { maxWantsPerSeed, exportRegions } = this.#config.limits
    const free = (session: AdmittedSession) =>
      isOpen(session) && this.#sources.isFree(session.peer, maxWantsPerSeed, now.monoMs)
    const names = this.#views.names(journey, now)
    const parent =
      home === undefined ? undefined : parentRegion(key, journey.region, home, names, exportRegions)
    if (parent !== undefined) {
      const except = new Set<PeerId>()
      let failing = 0
      // The fetcher there, or its successors while it is left alone; after two that fail the seed.
      while (except.size <= MAX_PUT_OFF && failing < MAX_FAILING) {
        const peer = this.#views.of(journey, parent, now).fetcher(key, except)
        if (peer === undefined) break
        const session = sessions.find((one) => one.peer === peer)
        if (session !== undefined && free(session))
          return { session, last: except.size - failing === MAX_PUT_OFF }
        if (session !== undefined && !this.#sources.isAvoided(peer, now.monoMs)) return undefined
        if (session === undefined || !this.#sources.isOnlyBusy(peer)) failing += 1
        except.add(peer)
      }
      // Who is only busy has it, or is to get it: it is not to cross the border from the seed as well.
      if (except.size > failing) return undefined
    }
    const seed = seeds.filter(free).sort((a, b) => this.#sources.load(a.peer) - this.#sources.load(b.peer))[0]
    return seed && { session: seed, last: false }
  }
}

/** This one where any of the seeds is here. */
function homeOf(seeds: readonly AdmittedSession[], region: string): string | undefined {
  const regions = seeds.map(({ hello }) => regionOf(hello.region)).sort()
  return regions.includes(region) ? region : regions[0]
}
