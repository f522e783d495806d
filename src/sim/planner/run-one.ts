/** One release through one fleet, by the abstract model: gossip while it fits one message, blocks above. */
import { LIMITS } from '../../limits.ts'
import { LargeRelease } from './large.ts'
import type { Question } from './question.ts'
import type { RunResult } from './run-result.ts'
import { MAX_SMALL_BYTES, SmallRelease } from './small.ts'

/** Blocks delivered in one run, over all nodes: some minutes of one core. Above it simulated blocks are larger than real ones. */
const MAX_DELIVERIES = 10_000_000
/** A gateway looks through what is its own to bring in at each choice: more blocks would take the square of their number. */
const MAX_BLOCKS = 16_384
/** Fewer blocks than this say nothing of a transfer in blocks. */
const MIN_BLOCKS = 50
/** Of the program's, on average: `chunkSizes`. */
export const REAL_BLOCK_BYTES = 150 * 1_024

export const isSmall = (bytes: number): boolean => bytes <= MAX_SMALL_BYTES

/** Nodes that a large release can be simulated for. */
export const MAX_LARGE_NODES = MAX_DELIVERIES / MIN_BLOCKS

/** At most: 256 KiB, or more where nodes × blocks would be too many to simulate. */
export function simulatedBlockBytes(nodes: number, bytes: number): number {
  const blocks = Math.min(MAX_BLOCKS, Math.max(MIN_BLOCKS, Math.floor(MAX_DELIVERIES / nodes)))
  return Math.max(LIMITS.maxBlockBytes, Math.ceil(bytes / blocks))
}

/** @param onProgress share of the fleet's deliveries that are done */
export function runOne(question: Question, onProgress: (done: number) => void): RunResult {
  if (isSmall(question.bytes)) return new SmallRelease(question).run(onProgress)
  const blockBytes = simulatedBlockBytes(question.nodes, question.bytes)
  return new LargeRelease(question, blockBytes, REAL_BLOCK_BYTES).run(onProgress)
}
