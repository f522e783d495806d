/**
 * A time to wait for what others send, which ends only once what came meanwhile has been read. Where this host stood still,
 * an answer lies in the socket when the time is over, and timers run first.
 */
import { LONGEST_TIMER_MS } from '../runtime/ports.ts'
import { afterReading } from './after-reading.ts'

/** A timer that is so late says that this host stood still: a block is longer than a window, so that the rest was not sent. */
const STOOD_STILL_MS = 1_000

export class Deadline {
  readonly #over = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number) {
    this.arm(ms)
  }

  /** Aborted with a TimeoutError. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** The time runs from now on. No peer can make it longer, and whoever stands still time and again has it twice at most. */
  arm(ms: number): void {
    this.#wait(ms, (lateMs) => {
      if (lateMs > STOOD_STILL_MS) this.#wait(Math.min(ms, lateMs), () => this.#endAfterReading())
      else this.#endAfterReading()
    })
  }

  /** Nobody waits any more. */
  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wait(ms: number, over: (lateMs: number) => void): void {
    this.clear()
    const dueMs = performance.now() + ms
    this.#timer = setTimeout(() => over(performance.now() - dueMs), Math.min(ms, LONGEST_TIMER_MS)).unref()
  }

  #endAfterReading(): void {
    const timer = this.#timer
    afterReading(() => {
      // what was waited for has come
      if (this.#timer !== timer) return
      this.#over.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    })
  }
}
