/**
 * Where a way is so narrow that even one block of each node that shares it is cut off at the deadline, fewer nodes have to
 * ask: each stays away for a while at random, twice as long each time in vain (the binary exponential backoff of
 * Ethernet). Until then none of them would ever get anything.
 */

/** Up to 40 s: of 24 nodes eight ask at a time, whose blocks of 150 KiB come in time at 1 Mbit/s. */
const MOST_DEADLINES = 4

export class WayPause {
  readonly #deadlineMs: number
  readonly #random: () => number
  #deadlines = 1
  #beganMonoMs = Number.NEGATIVE_INFINITY
  #untilMonoMs = Number.NEGATIVE_INFINITY

  constructor(deadlineMs: number, random: () => number) {
    this.#deadlineMs = deadlineMs
    this.#random = random
  }

  isOver(monoMs: number): boolean {
    return monoMs >= this.#untilMonoMs
  }

  /** What was asked for before the last pause began says nothing new. */
  begin(askedMonoMs: number, monoMs: number): void {
    if (askedMonoMs < this.#beganMonoMs) return
    this.#beganMonoMs = monoMs
    this.#untilMonoMs = monoMs + this.#deadlines * this.#deadlineMs * this.#random()
    this.#deadlines = Math.min(2 * this.#deadlines, MOST_DEADLINES)
  }

  /** It is tried anew now; should that be in vain, the next pause is as long as it would have been. */
  lift(): void {
    this.#untilMonoMs = Number.NEGATIVE_INFINITY
  }

  /** Something came that way. */
  end(): void {
    this.#untilMonoMs = Number.NEGATIVE_INFINITY
    this.#deadlines = 1
  }
}
