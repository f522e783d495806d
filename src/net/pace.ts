/**
 * Leaves the event loop free under a flood: what peers send is taken a slice at a time, and no peer's faster than its
 * bucket allows. Whoever is slowed down is not read from meanwhile: gossip then piles up on its own side (pulled.ts), and
 * a stream of requests beyond two messages is reset.
 */
import type { Limits } from '../limits.ts'
import { LONGEST_TIMER_MS } from '../runtime/ports.ts'

/** As many may begin at once in a turn before the clock can tell what they cost: a slice of about 0.3 ms each. */
export const MAX_AT_ONCE = 32
/** So many bytes count as one more: a message of 20 KiB that is all small values takes 5 ms to decode. */
export const BYTES_AS_ONE = 1_024

export class Pace {
  readonly #sliceMs: number
  readonly #waiting: (() => void)[] = []
  /** When this turn of the event loop began its first work; undefined: none of ours yet. */
  #sinceMs: number | undefined
  #begun = 0
  #scheduled = false

  constructor({ sliceMs }: Pick<Limits, 'sliceMs'>) {
    this.#sliceMs = sliceMs
  }

  /**
   * Resolves at once while the slice of this turn of the event loop lasts, else in a later turn, in order.
   * @param bytes what is to be worked off
   */
  async slice(bytes = 0): Promise<void> {
    const nowMs = performance.now()
    if (this.#sinceMs === undefined) {
      this.#sinceMs = nowMs
      this.#next()
    }
    const isFirst = this.#begun === 0
    this.#begun += 1 + Math.floor(bytes / BYTES_AS_ONE)
    const inTime = nowMs - this.#sinceMs < this.#sliceMs && (isFirst || this.#begun <= MAX_AT_ONCE)
    if (inTime && this.#waiting.length === 0) return
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      this.#next()
    })
  }

  /** One waiter a turn: what it goes on with is work of that turn, and I/O and timers come in between. */
  #next(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#sinceMs = undefined
      this.#begun = 0
      const resume = this.#waiting.shift()
      if (resume === undefined) return
      this.#sinceMs = performance.now()
      resume()
      this.#next()
    })
  }
}

/** So many a second on average, so many at once. */
export class Bucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #atMs = performance.now()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes as many, on credit where none is left, of at most a burst. @returns what is left; below 0 it is owed */
  take(count = 1): number {
    const nowMs = performance.now()
    const gained = ((nowMs - this.#atMs) / 1_000) * this.#perSecond
    this.#atMs = nowMs
    this.#tokens = Math.max(Math.min(this.#burst, this.#tokens + gained) - count, -this.#burst)
    return this.#tokens
  }
}

/** A connection, or what carries one. */
export interface Closable {
  readonly status: string
  addEventListener(type: 'close', listener: () => void): void
  removeEventListener(type: 'close', listener: () => void): void
}

/** Token buckets that make the one who empties them wait, instead of refusing. Keyed by what lives as long as a link. */
export class Throttle {
  readonly #perSecond: number
  readonly #burst: number
  readonly #buckets = new WeakMap<object, Bucket>()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** Whether the next one would have to wait. */
  isEmpty(who: object): boolean {
    const bucket = this.#buckets.get(who)
    return bucket !== undefined && bucket.take(0) < 1
  }

  /**
   * Resolves once there are as many for whoever this is, or its connection has closed: nobody is slowed down then, and at a
   * rate of 0, which is allowed, what waits would be held for ever.
   * @returns false: it has closed before
   */
  async take(who: object, connection: Closable | undefined, count = 1): Promise<boolean> {
    const bucket = this.#buckets.get(who) ?? new Bucket(this.#perSecond, this.#burst)
    this.#buckets.set(who, bucket)
    const tokens = bucket.take(count)
    return tokens >= 0 || (await staysOpen(connection, (-tokens / this.#perSecond) * 1_000))
  }
}

/** Resolves with true after that time, and with false as soon as it has closed. */
async function staysOpen(connection: Closable | undefined, ms: number): Promise<boolean> {
  if (connection?.status !== 'open') return false
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout
    const settle = (isOpen: boolean) => {
      clearTimeout(timer)
      connection.removeEventListener('close', onClose)
      resolve(isOpen)
    }
    const onClose = () => settle(false)
    const wait = (leftMs: number) => {
      const nextMs = Math.min(leftMs, LONGEST_TIMER_MS)
      timer = setTimeout(() => (leftMs > nextMs ? wait(leftMs - nextMs) : settle(true)), nextMs).unref()
    }
    connection.addEventListener('close', onClose)
    wait(ms)
  })
}
