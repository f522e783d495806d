/** Whom gossipsub 17.1.1 asked for a message that it told of, and who has three seconds to bring it. */

/** In members that its types leave out. */
export interface GossipPromises {
  readonly gossipTracer: {
    /** Called in each heartbeat. @returns how many each peer broke since, none of which is kept any longer */
    getBrokenPromises(): Map<string, number>
  }
}

/** Between two heartbeats, a second apart, so that a promise may have come to its end between them and lies in the socket. */
const STOOD_STILL_MS = 2_000

/**
 * From now on a host that stood still looks at its promises a heartbeat later: the timer of the heartbeat comes first, and then
 * what peers have brought meanwhile is read. Of one it would score −10, and of ten not listen to for a while.
 */
export function readBeforeBlame({ gossipTracer }: GossipPromises): void {
  const broken = gossipTracer.getBrokenPromises.bind(gossipTracer)
  let lookedMs = performance.now()
  let hasWaited = false
  gossipTracer.getBrokenPromises = () => {
    const beforeMs = lookedMs
    lookedMs = performance.now()
    // Never twice in a row: promises are forgotten here as well, and a host that is always late would keep them all.
    hasWaited = !hasWaited && lookedMs - beforeMs > STOOD_STILL_MS
    return hasWaited ? new Map() : broken()
  }
}
