import FlatQueue from 'flatqueue'

/** Where virtual wall clocks begin: any date well before the roots expire. */
export const EPOCH_MS = Date.UTC(2030, 0, 1)

/**
 * Virtual time in microseconds. Events of one instant run in the order of their insertion, and nothing else decides
 * an order, so one seed gives one run.
 */
export class VirtualTime {
  readonly #queue = new FlatQueue<() => void>()
  #now = 0
  #inserted = 0

  /** Milliseconds since the run began. */
  get nowMs(): number {
    return this.#now / TICKS_PER_MS
  }

  /** Runs `action` after this many milliseconds; returns a function that calls it off. */
  after(ms: number, action: () => void): () => void {
    let wanted = true
    const tick = this.#now + Math.max(1, Math.round(ms * TICKS_PER_MS))
    // One number holds both keys: 2^28 ticks are three and a half hours, and a run inserts fewer than 2^25 events.
    this.#queue.push(
      () => {
        if (wanted) action()
      },
      tick * SLOTS + this.#inserted,
    )
    this.#inserted = (this.#inserted + 1) % SLOTS
    return () => {
      wanted = false
    }
  }

  /** Runs the next event; false where there is none up to `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.#queue.peekValue()
    if (next === undefined) return false
    const tick = Math.floor(next / SLOTS)
    if (tick > untilMs * TICKS_PER_MS) return false
    this.#now = tick
    this.#queue.pop()?.()
    return true
  }
}

/** Ticks of 50 µs: finer than any delay of the model. */
const TICKS_PER_MS = 20
const SLOTS = 2 ** 25
