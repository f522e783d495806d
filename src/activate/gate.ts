/** Each of several things, as many at a time as there are places. The first failure ends it. */
export type Apart = <T>(items: readonly T[], work: (item: T) => Promise<void>) => Promise<void>

/** Who goes before whom. */
export type Turn = 'first' | 'second' | 'last'

/** Lets in so many at a time, by their turn, each in the order they came. Those who go last leave one place to who comes. */
export class Gate {
  readonly #waiting: Readonly<Record<Turn, (() => void)[]>> = { first: [], second: [], last: [] }
  readonly #width: number
  readonly #spared: number
  #free: number

  /** @param width one at least */
  constructor(width: number) {
    this.#width = Math.max(1, width)
    this.#free = this.#width
    this.#spared = this.#width > 1 ? 1 : 0
  }

  /**
   * @param signal ends the waiting
   * @returns to be called on leaving; again it does nothing
   * @throws why it was aborted
   */
  async enter(turn: Turn = 'second', signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#isOpen(turn)) this.#free--
    else await this.#wait(this.#waiting[turn], signal)
    let left = false
    return () => {
      if (left) return
      left = true
      this.#free++
      const { first, second, last } = this.#waiting
      const next = first.shift() ?? second.shift() ?? (this.#isOpen('last') ? last.shift() : undefined)
      if (next === undefined) return
      this.#free--
      next()
    }
  }

  #isOpen(turn: Turn): boolean {
    return this.#free > (turn === 'last' ? this.#spared : 0)
  }

  #wait(queue: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        queue.splice(queue.indexOf(enter), 1)
        reject(signal?.reason)
      }
      const enter = (): void => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      queue.push(enter)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  /**
   * Work at one place. What it does `apart` takes a place for each piece, and its own is free meanwhile: those who hold
   * one while they wait for more would in the end all wait for each other.
   * @param signal ends the waiting for the first place
   */
  async within<T>(
    work: (apart: Apart) => Promise<T>,
    turn: Turn = 'second',
    signal?: AbortSignal,
  ): Promise<T> {
    let leave = await this.enter(turn, signal)
    const apart: Apart = async (items, each) => {
      leave()
      try {
        await this.#inLanes(items, (item) => this.within(() => each(item), turn))
      } finally {
        leave = await this.enter(turn)
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
