/**
 * Virtual time of the planner: whole ticks of 50 µs. Events are ordered by (tick, number of insertion) and by nothing
 * else; links count in whole nanoseconds between them, so that rounding never adds up.
 */
const TICK_NS = 50_000
export const TICKS_PER_MS = 20

export const ticksOfMs = (ms: number): number => Math.round(ms * TICKS_PER_MS)
export const nsOfTicks = (ticks: number): number => ticks * TICK_NS
/** To the nearest tick: rounding up would add half a tick to every hop. */
export const ticksOfNs = (ns: number): number => Math.floor((ns + TICK_NS / 2) / TICK_NS)
