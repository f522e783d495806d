/** A wall clock that is set back: what gossipsub 17.1.1 has by it would hold for as much longer. */

/** In members that its types leave out. */
export interface GossipTimes {
  /** By topic, until when each peer must not be grafted, nor graft us: it is punished for that. */
  readonly backoff: ReadonlyMap<string, Map<string, number>>
  readonly seenCache: { readonly entries: Map<string, { validUntilMs: number }> }
  /** Scores as they were a second ago at most. */
  readonly score: { readonly scoreCache: { clear(): void } }
  /** Who has yet to bring what was asked for. */
  readonly gossipTracer: { clear(): void }
  /** While it runs: heartbeats come whole intervals after that time. What is left of a negative span makes them twice as long. */
  readonly status: { hearbeatStartMs?: number }
}

/** Less is how clocks are kept right; all that is timed here is longer, but for scores. */
const STEP_MS = 2_000

/** Called in each heartbeat. That a clock is set forward ends all of it early, which does no harm. */
export function clockWatch(): (times: GossipTimes) => void {
  const now = () => Date.now() - performance.now()
  let before = now()
  return (times) => {
    const backMs = before - now()
    before = now()
    if (backMs > STEP_MS) setBack(times, backMs)
  }
}

function setBack({ backoff, seenCache, score, gossipTracer, status }: GossipTimes, backMs: number): void {
  for (const peers of backoff.values()) for (const [peer, untilMs] of peers) peers.set(peer, untilMs - backMs)
  for (const entry of seenCache.entries.values()) entry.validUntilMs -= backMs
  score.scoreCache.clear()
  gossipTracer.clear()
  if (status.hearbeatStartMs !== undefined) status.hearbeatStartMs -= backMs
}
