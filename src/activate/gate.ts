/** Lets in so many at a time, whoever came first before the others. */
export class Gate {
  readonly #waiting: (() => void)[] = []
  #free: number

  /** @param width one at least */
  constructor(width: number) {
    this.#free = Math.max(1, width)
  }

  /** @returns to be called on leaving; again it does nothing */
  async enter(): Promise<() => void> {
    if (this.#free >= 1) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
