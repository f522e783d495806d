/** How long a node leaves a busy neighbour alone: as the product's own `Patience`, over what its neighbours took. */
import { LIMITS } from '../../limits.ts'
import { ticksOfMs } from './ticks.ts'

const LEAST_TICKS = ticksOfMs(LIMITS.busyRetryMs)
const MOST_TICKS = ticksOfMs(LIMITS.blockSilenceMs)

export class Busy {
  /** Smoothed, of each node; none yet where it is 0. */
  readonly #usualTicks: Float64Array

  constructor(nodes: number) {
    this.#usualTicks = new Float64Array(nodes)
  }

  /** A neighbour gave a block. */
  answered(node: number, tookTicks: number): void {
    const usual = this.#usualTicks[node] as number
    this.#usualTicks[node] = usual === 0 ? tookTicks : (7 * usual + tookTicks) / 8
  }

  /** From half to one and a half of it. */
  ticks(node: number, drawn: number): number {
    const quarter = Math.round((this.#usualTicks[node] as number) / 4)
    const ticks = Math.min(Math.max(LEAST_TICKS, quarter), MOST_TICKS)
    return (ticks >> 1) + (drawn % ticks)
  }
}
