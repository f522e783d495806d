import type { Limits } from '../../limits.ts'
import type { Heartbeats } from './heartbeats.ts'

/** A gateway book is looked at every five seconds at least, by a host that is in time. */
const LOOKED_MS = 6_000

/**
 * How often a gateway says in its region that it lives, and how long one counts since it was heard. Calm while no gateway of
 * another region is known: nobody waits for one at a border then.
 */
export class HeartbeatPace {
  readonly #own: string
  readonly #limits: Limits
  #monoMs = 0
  /** When a gateway of another region counted last. */
  #borderMonoMs = Number.NEGATIVE_INFINITY

  constructor(own: string, limits: Limits) {
    this.#own = own
    this.#limits = limits
  }

  look(book: Heartbeats, monoMs: number): void {
    // While this host stood still nobody could be heard: what was said meanwhile lies unread.
    const deafMs = monoMs - this.#monoMs - LOOKED_MS
    if (deafMs > 0) book.deaf(deafMs)
    const isBorder = (region: string) =>
      region !== this.#own && book.live(region, monoMs, this.#limits.farHeartbeatLiveMs).length > 0
    this.#monoMs = monoMs
    if (book.regions().some(isBorder)) this.#borderMonoMs = monoMs
  }

  get #withoutBorderMs(): number {
    return this.#monoMs - this.#borderMonoMs
  }

  /**
   * Not calm at once: as long as the last word of a gateway of another region may be taken somebody may hear of it, know a
   * border again, and count nobody of its own region who is silent for more than seconds.
   */
  get everyMs(): number {
    const { heartbeatMs, calmHeartbeatMs, heartbeatSkewMs, farHeartbeatLiveMs } = this.#limits
    const isCalm = this.#withoutBorderMs >= heartbeatSkewMs + farHeartbeatLiveMs
    return isCalm ? calmHeartbeatMs : heartbeatMs
  }

  readonly liveMs = (region: string): number => {
    const { heartbeatLiveMs, farHeartbeatLiveMs, calmHeartbeatLiveMs } = this.#limits
    // One abroad as well: where this region has no gateway it knows of none, and is calm.
    if (this.#withoutBorderMs > 0) return calmHeartbeatLiveMs
    return region === this.#own ? heartbeatLiveMs : farHeartbeatLiveMs
  }
}

/**
 * When the next heartbeat is said to be of: later than the last, also of before others stood in between, or nobody takes
 * it for news. Unless the clock was set back so far that others, who go by theirs, would ignore it until they get there.
 */
export const momentAfter = (lastAt: number, wallMs: number, { heartbeatSkewMs }: Limits): number =>
  lastAt - wallMs > heartbeatSkewMs ? wallMs : Math.max(wallMs, lastAt + 1)
