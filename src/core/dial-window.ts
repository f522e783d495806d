/**
 * How many dials may be under way at a time: one more for each window full of links that were made, half as many after one
 * that a peer took up and nobody could finish in time (the rule of TCP's congestion avoidance, RFC 5681 §3.1). A fleet on
 * too few cores makes its links one after another; with a fixed pace each node begins what none has the time to finish.
 */
import type { Limits } from '../limits.ts'

export class DialWindow {
  readonly #most: number
  #size: number

  constructor({ maxDialsAtOnce, maxDialsUnderWay }: Pick<Limits, 'maxDialsAtOnce' | 'maxDialsUnderWay'>) {
    this.#most = maxDialsUnderWay
    this.#size = maxDialsAtOnce
  }

  /** @returns how many more may begin */
  room(underWay: number): number {
    return Math.max(0, Math.floor(this.#size) - underWay)
  }

  made(): void {
    this.#size = Math.min(this.#most, this.#size + 1 / this.#size)
  }

  starved(): void {
    this.#size = Math.max(1, this.#size / 2)
  }
}
