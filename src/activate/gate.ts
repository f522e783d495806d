/** Lets in so many at a time: those who go first, then the others, each in the order they came. */
export class Gate {
  readonly #first: (() => void)[] = []
  readonly #waiting: (() => void)[] = []
  #free: number

  /** @param width one at least */
  constructor(width: number) {
    this.#free = Math.max(1, width)
  }

  /**
   * @param first before those who wait without
   * @returns to be called on leaving; again it does nothing
   */
  async enter(first = false): Promise<() => void> {
    if (this.#free >= 1) this.#free--
    else await new Promise<void>((resolve) => (first ? this.#first : this.#waiting).push(resolve))
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#first.shift() ?? this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
