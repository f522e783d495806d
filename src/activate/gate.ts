/** Each of several things, as many at a time as there are places. The first failure ends it. */
export type Apart = <T>(items: readonly T[], work: (item: T) => Promise<void>) => Promise<void>

/** Lets in so many at a time: those who go first, then the others, each in the order they came. */
export class Gate {
  readonly #first: (() => void)[] = []
  readonly #waiting: (() => void)[] = []
  readonly #width: number
  #free: number

  /** @param width one at least */
  constructor(width: number) {
    this.#width = Math.max(1, width)
    this.#free = this.#width
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

  /**
   * Work at one place. What it does `apart` takes a place for each piece, and its own is free meanwhile: those who hold
   * one while they wait for more would in the end all wait for each other.
   */
  async within<T>(work: (apart: Apart) => Promise<T>, first = false): Promise<T> {
    let leave = await this.enter(first)
    const apart: Apart = async (items, each) => {
      leave()
      try {
        await this.#inLanes(items, (item) => this.within(() => each(item), first))
      } finally {
        leave = await this.enter(first)
      }
    }
    try {
      return await work(apart)
    } finally {
      leave()
    }
  }

  async #inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const queue = items.values()
    let failed = false
    const lane = async (): Promise<void> => {
      for (const item of queue) {
        if (failed) return
        try {
          await work(item)
        } catch (error) {
          failed = true
          throw error
        }
      }
    }
    // None may still be at work when it ends: what a tree was written into is removed then.
    const lanes = Array.from({ length: Math.min(this.#width, items.length) }, lane)
    for (const result of await Promise.allSettled(lanes))
      if (result.status === 'rejected') throw result.reason
  }
}
