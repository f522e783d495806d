/** What a node's CPU has to check and to write: one block after another, a larger one for longer. */
import { LIMITS } from '../../limits.ts'
import { ticksOfMs } from './ticks.ts'

export class Checks {
  readonly #blockMs: number
  /** By node: when it is through with all that is there. */
  readonly #untilTick: Int32Array

  /** @param blockMs of a block as large as one may be; smaller ones, which are few, take as long */
  constructor(nodes: number, blockMs: number) {
    this.#blockMs = blockMs
    this.#untilTick = new Int32Array(nodes)
  }

  /** A block is there. @returns when it is checked */
  done(node: number, bytes: number, tick: number): number {
    const takes = ticksOfMs(this.#blockMs * Math.max(1, bytes / LIMITS.maxBlockBytes))
    const until = Math.max(tick, this.#untilTick[node] as number) + takes
    this.#untilTick[node] = until
    return until
  }
}
