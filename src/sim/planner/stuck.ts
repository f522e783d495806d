/** When a run has met a dead end. */
import type { Fleet } from './fleet.ts'
import { ticksOfMs, ticksOfNs } from './ticks.ts'

const LEAST_MS = 30_000
/** One block crosses several links, behind others: a neighbour serves four, and some wait. */
const BLOCK_TIMES = 20

/** Where nobody got anything for so long, what is missing is lost: half a minute, or longer where a block itself needs that. */
export function stuckTicks(fleet: Fleet, blockBytes: number, borderBitsPerSecond: number): number {
  const { upNsPerByte, downNsPerByte } = fleet
  let slowest = 8e9 / borderBitsPerSecond
  for (const ns of upNsPerByte) slowest = Math.max(slowest, ns)
  for (const ns of downNsPerByte) slowest = Math.max(slowest, ns)
  return Math.max(ticksOfMs(LEAST_MS), ticksOfNs(BLOCK_TIMES * blockBytes * slowest))
}
