import { Lateness } from '../lateness.ts'

/**
 * How fast large releases are asked for: so that writing them takes a quarter of the store's time, be it the disk that is
 * slow or the cores that many share. What comes beside them finds the store free more often than not, and a host that has
 * other work to do gives it more than it gives a transfer.
 *
 * A transfer that yields to all else, as LEDBAT (RFC 6817): it goes by the delay that it meets itself, which grows before
 * others suffer. There the delay is the network's; here it is that of the store, which each release has to pass.
 */

/** Between two questions: so many times what writing one block takes. */
export const SHARE = 4
/** So many times as long again, where this host's own timers are late: what comes beside waits for the cores, too. */
const CROWDED_TIMES = 2
/** Asked for in one go, where none was for so long: timers are some milliseconds late. */
const AT_ONCE = 4
/** Blocks that go into the estimate: those that are written together take the time of one. */
const REMEMBERED = 32
/** However slow the store, a transfer goes on. */
const MAX_GAP_MS = 1_000
/** How late timers were says nothing of the next release after so long. */
const KEPT_MS = 10_000

export class BulkPace {
  #writeMs = 0
  #writes = 0
  #busySinceMonoMs = 0
  #nextMonoMs = 0
  /** Something was put off until then. */
  #isAwaited = false
  readonly #lateness = new Lateness(KEPT_MS)

  /** Nothing may be asked for yet; a timer is to run when it may. */
  isEarly(nowMonoMs: number): boolean {
    const lateMs = nowMonoMs - this.#nextMonoMs
    // What was put off may have come to nothing meanwhile: no timer was awaited then.
    if (this.#isAwaited && lateMs >= 0 && lateMs <= MAX_GAP_MS)
      this.#lateness.ran(this.#nextMonoMs, nowMonoMs)
    this.#isAwaited = nowMonoMs < this.#nextMonoMs
    return this.#isAwaited
  }

  /** A block is given to the store, which had none to write. */
  began(nowMonoMs: number): void {
    this.#busySinceMonoMs = nowMonoMs
  }

  /** One that it had is durable, or in its log: the time since it began, or since the last was. */
  wrote(nowMonoMs: number): void {
    // A disk that stood still once, or a host that slept, says little of the next.
    const tookMs = Math.min(nowMonoMs - this.#busySinceMonoMs, MAX_GAP_MS)
    this.#busySinceMonoMs = nowMonoMs
    this.#writes = Math.min(this.#writes + 1, REMEMBERED)
    this.#writeMs += (tookMs - this.#writeMs) / this.#writes
  }

  /** A block of a large release is asked for. */
  asked(nowMonoMs: number): void {
    const share = this.#lateness.isCrowded ? SHARE * CROWDED_TIMES : SHARE
    const gapMs = Math.min(share * this.#writeMs, MAX_GAP_MS)
    this.#nextMonoMs = Math.max(this.#nextMonoMs, nowMonoMs - (AT_ONCE - 1) * gapMs) + gapMs
  }

  /** When the next may be. */
  get nextMonoMs(): number {
    return this.#nextMonoMs
  }
}
