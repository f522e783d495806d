/** When a run has met a dead end. */
import { type BlockSizes, spanTicks } from './border-window.ts'
import type { Fleet } from './fleet.ts'
import type { Question } from './question.ts'
import { ticksOfMs, ticksOfNs } from './ticks.ts'

const LEAST_MS = 30_000
/** One block crosses several links, behind others: a neighbour serves four, and some wait. */
const BLOCK_TIMES = 20
/** Regions stand in a tree, and each may hold a block up for as long; with the jitter of each round trip. */
const SPAN_TIMES = 6

/** Where nobody got anything for so long, what is missing is lost: half a minute, or longer where a block itself needs that. */
export function stuckTicks(
  fleet: Fleet,
  { borderBitsPerSecond, regions }: Question,
  sizes: BlockSizes,
): number {
  const { upNsPerByte, downNsPerByte } = fleet
  let slowest = 8e9 / borderBitsPerSecond
  for (const ns of upNsPerByte) slowest = Math.max(slowest, ns)
  for (const ns of downNsPerByte) slowest = Math.max(slowest, ns)
  const farTicks = ticksOfMs(Math.max(...regions.rttMs.flat()))
  return Math.max(
    ticksOfMs(LEAST_MS),
    ticksOfNs(BLOCK_TIMES * sizes.simulated * slowest),
    SPAN_TIMES * spanTicks(farTicks, sizes),
  )
}
