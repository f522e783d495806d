/**
 * How long a message is held before it is passed on. Neighbours get it at nearly the same moment, and each says so
 * (IDONTWANT) before it looks into it. To check one takes less time than that needs to arrive: passed on at once it would
 * go to all who have it.
 *
 * On a crowded host (a hundred nodes on two cores) the words of neighbours are as late as everything else, and so is our
 * own timer, which shows it. Then the wait begins anew and is as long as things take there.
 */

/** At random up to twice this: longer than one way within a region takes. */
const HOLD_MS = 2
/** A timer of a host with nothing else to do is later than this only by accident. */
const LATE_MS = 5
/** Longer is not worth it: what is sent in vain costs less than what all further nodes wait. */
const MAX_SECOND_HOLD_MS = 250

export interface Timing {
  nowMs(): number
  after(ms: number, work: () => void): void
  /** From 0 to 1. */
  random(): number
}

const TIMING: Timing = {
  nowMs: () => performance.now(),
  after: (ms, work) => void setTimeout(work, ms).unref(),
  random: Math.random,
}

export function relayHold({ nowMs, after, random }: Timing = TIMING): (passOn: () => void) => void {
  /** Apart from one another, also at the bound: whoever is first tells the others that they need not. */
  const spread = (ms: number) => ms * (1 + random())
  return (passOn) => {
    const holdMs = spread(HOLD_MS)
    const dueMs = nowMs() + holdMs
    after(holdMs, () => {
      const lateMs = nowMs() - dueMs
      if (lateMs <= LATE_MS) passOn()
      else after(spread(Math.min(2 * lateMs, MAX_SECOND_HOLD_MS / 2)), passOn)
    })
  }
}
