/**
 * How many blocks a node asks for at once of its neighbours (of large releases), of seeds, or over a border: as many as
 * come in time. On a slow link, or where many nodes share few cores, more under way only makes each later, until all
 * count as silent, are asked for again and come twice.
 *
 * The congestion window of TCP (RFC 5681): a block more for each that came, until one is late; then half as many, and one
 * more for each round. Late is what takes longer than `lateMs`, or comes from somebody who counted as silent by then.
 * Whoever never answers is dead, which says nothing of the way.
 */

/** Of neighbours, one from each: two rounds later it is sixteen. */
const START = 4
/** With a single one nothing would come while the next is asked for. */
const LEAST = 2
/** More than twice what the fourth in line waits for on a link of 20 Mbit/s, where 256 KiB take 105 ms. */
const LATE_MS = 1_000

/** At 1 Mbit/s a block of 256 KiB takes 2.1 s, and several gateways share their border. */
const FAR_LEAST = 1
/** A want stands for 1 s, and a round trip may take another: 3 s are left, two blocks of 150 KiB at 1 Mbit/s. */
const FAR_LATE_MS = 5_000

export interface Shape {
  readonly start: number
  readonly least: number
  readonly lateMs: number
}
export const NEAR: Shape = { start: START, least: LEAST, lateMs: LATE_MS }
/** Over a border, and of seeds: all at once until nothing comes for long, as a round trip is to cost no more than one. */
export const FAR: Shape = { start: Number.POSITIVE_INFINITY, least: FAR_LEAST, lateMs: FAR_LATE_MS }

export class WantWindow {
  readonly #most: number
  readonly #shape: Shape
  #size: number
  #threshold = Number.POSITIVE_INFINITY
  #halvedMonoMs = Number.NEGATIVE_INFINITY
  /** Since when there are as few as can be, if there are. */
  #leastMonoMs = Number.NEGATIVE_INFINITY

  /** @param most blocks under way, however fast they come */
  constructor(most: number, shape: Shape) {
    this.#most = most
    this.#shape = shape
    this.#size = Math.min(most, shape.start)
  }

  /** There were as few as can be when it was asked for. */
  wasLeast(askedMonoMs: number): boolean {
    return !this.isOpen(this.#shape.least) && askedMonoMs >= this.#leastMonoMs
  }

  isLate(askedMonoMs: number, silent: boolean, nowMonoMs: number): boolean {
    return silent || nowMonoMs - askedMonoMs > this.#shape.lateMs
  }

  isOpen(underWay: number): boolean {
    return underWay < Math.floor(this.#size)
  }

  /**
   * A block came.
   * @param underWay this one included
   * @param silent its sender counted as that by then
   */
  arrived(underWay: number, askedMonoMs: number, silent: boolean, nowMonoMs: number): void {
    if (this.isLate(askedMonoMs, silent, nowMonoMs)) this.#late(underWay, askedMonoMs, nowMonoMs)
    // One that is not made use of proves nothing.
    else if (2 * underWay >= this.#size) this.#grow()
  }

  /**
   * Of all that is under way nothing came for as long as makes a peer silent: it begins anew with as few as can be (the
   * loss window of RFC 5681), and is as wide as before a few round trips after the first block.
   */
  nothingCame(askedMonoMs: number, nowMonoMs: number): void {
    if (askedMonoMs < this.#halvedMonoMs) return
    this.#halvedMonoMs = nowMonoMs
    this.#shrink(this.#shape.least, nowMonoMs)
  }

  #grow(): void {
    const by = this.#size < this.#threshold ? 1 : 1 / this.#size
    this.#size = Math.min(this.#most, this.#size + by)
  }

  /** Once a round: what was asked for before the window was last halved says nothing new. */
  #late(underWay: number, askedMonoMs: number, nowMonoMs: number): void {
    if (askedMonoMs < this.#halvedMonoMs) return
    this.#halvedMonoMs = nowMonoMs
    this.#threshold = Math.max(this.#shape.least, Math.min(underWay, this.#size) / 2)
    this.#shrink(this.#threshold, nowMonoMs)
  }

  #shrink(size: number, nowMonoMs: number): void {
    if (this.isOpen(this.#shape.least)) this.#leastMonoMs = nowMonoMs
    this.#size = size
  }
}
