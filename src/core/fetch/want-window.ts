/**
 * How many blocks of large releases a node asks its neighbours for at once: as many as come in time. On a slow link, or
 * where many nodes share few cores, more under way only makes each later, until all count as silent, are asked for again
 * and come twice.
 *
 * The congestion window of TCP (RFC 5681): a block more for each that came, until one is late; then half as many, and one
 * more for each round. Late is what takes longer than `LATE_MS`, or comes from somebody who counted as silent by then.
 * Whoever never answers is dead, which says nothing of the way.
 */

/** Two rounds later it is sixteen, one for each neighbour. */
const START = 4
/** With a single one nothing would come while the next is asked for. */
const LEAST = 2
/** More than twice what the fourth in line waits for on a link of 20 Mbit/s, where 256 KiB take 105 ms. */
const LATE_MS = 1_000

export class WantWindow {
  readonly #most: number
  #size = START
  #threshold = Number.POSITIVE_INFINITY
  #halvedMonoMs = Number.NEGATIVE_INFINITY

  /** @param most blocks under way, however fast they come */
  constructor(most: number) {
    this.#most = most
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
    if (silent || nowMonoMs - askedMonoMs > LATE_MS) this.#late(underWay, askedMonoMs, nowMonoMs)
    // One that is not made use of proves nothing.
    else if (2 * underWay >= this.#size) this.#grow()
  }

  #grow(): void {
    const by = this.#size < this.#threshold ? 1 : 1 / this.#size
    this.#size = Math.min(this.#most, this.#size + by)
  }

  /** Once a round: what was asked for before the window was last halved says nothing new. */
  #late(underWay: number, askedMonoMs: number, nowMonoMs: number): void {
    if (askedMonoMs < this.#halvedMonoMs) return
    this.#halvedMonoMs = nowMonoMs
    this.#threshold = Math.max(LEAST, Math.min(underWay, this.#size) / 2)
    this.#size = this.#threshold
  }
}
