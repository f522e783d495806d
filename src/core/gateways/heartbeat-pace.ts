import type { Limits } from '../../limits.ts'
import type { Heartbeats } from './heartbeats.ts'

/** How often a gateway says that it lives, and how long it counts as alive since it was heard. */
export interface Pace {
  readonly everyMs: number
  readonly liveMs: number
}

/** Calm while no gateway of another region is known: nobody waits for one at a border then. */
export function paceOf(own: string, book: Heartbeats, monoMs: number, limits: Limits): Pace {
  const { heartbeatMs, heartbeatLiveMs, calmHeartbeatMs, calmHeartbeatLiveMs } = limits
  const isBorder = (region: string) => region !== own && book.live(region, monoMs, heartbeatLiveMs).length > 0
  return book.regions().some(isBorder)
    ? { everyMs: heartbeatMs, liveMs: heartbeatLiveMs }
    : { everyMs: calmHeartbeatMs, liveMs: calmHeartbeatLiveMs }
}

/**
 * When the next heartbeat is said to be of: later than the last, also of before others stood in between, or nobody takes
 * it for news. Unless the clock was set back so far that others, who go by theirs, would ignore it until they get there.
 */
export const momentAfter = (lastAt: number, wallMs: number, { heartbeatSkewMs }: Limits): number =>
  lastAt - wallMs > heartbeatSkewMs ? wallMs : Math.max(wallMs, lastAt + 1)
