/**
 * How late this host is. Where many nodes share few cores, every message makes all others later: what can wait is said the
 * more seldom the later the host's own timers are. On a host that is not crowded they are a few milliseconds late.
 */

/** So many times as long as its timers are late a node waits: what it says then costs a fifth of what there is at most. */
const PAUSES = 4
/** One that was stopped for minutes is no crowd. */
const MAX_PAUSE_MS = 1_000
/** A host that is not crowded is late by less, but for a moment. */
const CROWDED_MS = 10

export class Lateness {
  #ms = 0

  /** A timer ran that was due then. What was seen before fades by half each time. */
  ran(dueMonoMs: number, nowMonoMs: number): void {
    this.#ms = Math.max(0, nowMonoMs - dueMonoMs, this.#ms / 2)
  }

  get isCrowded(): boolean {
    return this.#ms > CROWDED_MS
  }

  /** How long to wait for what can wait, at least. */
  get pauseMs(): number {
    return Math.min(PAUSES * this.#ms, MAX_PAUSE_MS)
  }
}
