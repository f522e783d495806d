/** Of very many some at a time, in turn: each has its go, and no go is long. */
export class Rounds<T> {
  readonly #most: number
  #at = 0
  /** The last go was not over all of them. */
  areOthersLeft = false

  constructor(most: number) {
    this.#most = most
  }

  /**
   * All of them, in their order, while they are no more than fit in a go.
   * @param first where they are more, one that is to be among them, in its turn or not
   */
  next(every: readonly T[], first?: T): readonly T[] {
    this.areOthersLeft = every.length > this.#most
    if (!this.areOthersLeft) return every
    const from = this.#at % every.length
    this.#at = from + this.#most
    const go = [...every.slice(from, this.#at), ...every.slice(0, Math.max(0, this.#at - every.length))]
    return first === undefined ? go : [first, ...go.filter((one) => one !== first)]
  }
}
