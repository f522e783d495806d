/**
 * The cores of a machine that all nodes share, as processes do: work takes the core that is free first, first come, first
 * served, and none is idle while any work waits.
 */
import { ticksOfMs } from './ticks.ts'

export class SharedCores {
  readonly #freeAtTick: Float64Array
  readonly #workTicks: number

  /** @param workMs CPU of each piece of work */
  constructor(cores: number, workMs: number) {
    this.#freeAtTick = new Float64Array(cores)
    this.#workTicks = ticksOfMs(workMs)
  }

  /** Takes a piece of work that comes at this tick. @returns the tick at which it is done */
  work(tick: number): number {
    const first = this.#freeAtTick.indexOf(Math.min(...this.#freeAtTick))
    const done = Math.max(tick, this.#freeAtTick[first] as number) + this.#workTicks
    this.#freeAtTick[first] = done
    return done
  }
}
