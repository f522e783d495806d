/**
 * How late this host is. Where many nodes share few cores, every message makes all others later: what can wait is said the
 * more seldom the later the host's own timers are. On a host that is not crowded they are a few milliseconds late.
 */

/** So many times as long as its timers are late a node waits: what it says then costs a fifth of what there is at most. */
const PAUSES = 4
/** One that was stopped for minutes is no crowd. */
const MAX_MS = 250
/** A host that is not crowded is late by less, but for a moment. */
const CROWDED_MS = 10

/**
 * How long what is due so late waits once more, where what came meanwhile may make it needless: it lies unread yet, as timers run
 * before anything is read. None on a host that is in time.
 */
export const pauseAfterMs = (lateMs: number): number =>
  lateMs > CROWDED_MS ? PAUSES * Math.min(MAX_MS, lateMs) : 0

export class Lateness {
  readonly #keptMs: number
  #ms = 0
  #ranMonoMs = 0

  /** @param keptMs for so long what was seen last counts: whoever has timers seldom goes by it for ever */
  constructor(keptMs = Number.POSITIVE_INFINITY) {
    this.#keptMs = keptMs
  }

  /** A timer ran that was due then. What was seen before fades by half each time. */
  ran(dueMonoMs: number, nowMonoMs: number): void {
    const before = nowMonoMs - this.#ranMonoMs > this.#keptMs ? 0 : this.#ms
    this.#ms = Math.min(MAX_MS, Math.max(0, nowMonoMs - dueMonoMs, before / 2))
    this.#ranMonoMs = nowMonoMs
  }

  get isCrowded(): boolean {
    return this.#ms > CROWDED_MS
  }

  /** How long to wait for what can wait, at least: a second at most. */
  get pauseMs(): number {
    return PAUSES * this.#ms
  }
}
