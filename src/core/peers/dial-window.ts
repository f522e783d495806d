/**
 * How many dials may be under way at a time: one more for each window full of links that were made, half as many after one
 * that a peer took up and nobody could finish in time (the rule of TCP's congestion avoidance, RFC 5681 §3.1). Below one,
 * dials are so much further apart, and a link that was made doubles it. A fleet on too few cores makes its
 * links one after another; with a fixed pace each node begins what none has the time to finish, for ever.
 */
import type { Limits } from '../../limits.ts'

type WindowLimits = Pick<Limits, 'maxDialsAtOnce' | 'maxDialsUnderWay' | 'redialMinMs' | 'redialIdleMaxMs'>

/** Rounds of dials that all ended so. */
const REFUSALS_OF_ROUNDS = 2

export class DialWindow {
  readonly #limits: WindowLimits
  readonly #random: () => number
  #size: number
  #nextMonoMs = 0
  /** In a row. */
  #refusals = 0

  constructor(limits: WindowLimits, random: () => number) {
    this.#limits = limits
    this.#random = random
    this.#size = limits.maxDialsAtOnce
  }

  /** @returns how many more may begin */
  room(underWay: number, nowMonoMs: number): number {
    if (nowMonoMs < this.#nextMonoMs) return 0
    return Math.max(0, Math.max(1, Math.floor(this.#size)) - underWay)
  }

  made(): void {
    this.#refusals = 0
    const more = this.#size < 1 ? this.#size * 2 : this.#size + 1 / this.#size
    this.#size = Math.min(this.#limits.maxDialsUnderWay, more)
    if (this.#size >= 1) this.#nextMonoMs = 0
  }

  starved(nowMonoMs: number): void {
    const { redialMinMs, redialIdleMaxMs } = this.#limits
    this.#size = Math.max(redialMinMs / redialIdleMaxMs, this.#size / 2)
    this.pause(nowMonoMs)
  }

  /** One that is not admitted says something of that peer alone; so many in a row, that it is this node nobody admits. */
  refused(nowMonoMs: number): void {
    this.#refusals += 1
    if (this.#refusals > REFUSALS_OF_ROUNDS * this.#limits.maxDialsAtOnce) this.starved(nowMonoMs)
  }

  /** A dial begins, or came to nothing: below one at a time the next has to wait. */
  pause(nowMonoMs: number): void {
    if (this.#size >= 1) return
    const pauseMs = (this.#limits.redialMinMs / this.#size) * (0.5 + this.#random() / 2)
    this.#nextMonoMs = Math.max(this.#nextMonoMs, nowMonoMs + pauseMs)
  }
}
