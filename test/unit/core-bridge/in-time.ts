import type { Effect } from '../../../src/core/effects.ts'
import type { Bench } from '../core-peers/fakes.ts'

/** Who asks to be woken at once each time would never let time pass. */
const MAX_TICKS = 100_000

/** So much time passes on a host that is never late: it ticks whenever it asked to be woken, and at the end. */
export function inTime(bench: Bench, ms: number, tick: () => readonly Effect[]): Effect[] {
  const untilMonoMs = bench.now.monoMs + ms
  const effects: Effect[] = []
  let ticks = 0
  do {
    ticks += 1
    if (ticks > MAX_TICKS) throw new Error(`${ticks} ticks within ${ms} ms`)
    const nextMonoMs = Math.min(untilMonoMs, Math.max(bench.now.monoMs, bench.wakeMonoMs))
    bench.wakeMonoMs = Number.POSITIVE_INFINITY
    bench.pass(nextMonoMs - bench.now.monoMs)
    effects.push(...tick())
  } while (bench.now.monoMs < untilMonoMs)
  return effects
}
