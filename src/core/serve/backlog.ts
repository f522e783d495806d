/**
 * Whether what waits here for other regions leaves in time. A gateway whose uplink is slower than those of others would
 * keep whole regions waiting, while its neighbours have the same blocks: what is not here yet others had better have from
 * one of these.
 */
import type { Limits } from '../../limits.ts'

/** The weight of a block more in the pace: as in the smoothed round trip of TCP (RFC 6298). */
const WEIGHT = 1 / 8

export class Backlog {
  readonly #limits: Limits
  /** Milliseconds from one block that has left to the next, smoothed; undefined before the first. */
  #gapMs: number | undefined
  /** When the last one left. */
  #sinceMonoMs = 0
  #isTooLong = false

  /**
   * More waits than one asker may want at once, and for longer than half of what lets a peer be doubted; and from then on
   * until nothing does.
   */
  get isTooLong(): boolean {
    return this.#isTooLong
  }

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** @param begunMonoMs when this one was begun: before that nobody waited for it, however long another has held a place */
  left(monoMs: number, begunMonoMs: number): void {
    const gapMs = monoMs - Math.max(this.#sinceMonoMs, begunMonoMs)
    this.#sinceMonoMs = monoMs
    this.#gapMs = this.#gapMs === undefined ? gapMs : this.#gapMs + WEIGHT * (gapMs - this.#gapMs)
  }

  /** @param waiting blocks in line for other regions */
  waits(waiting: number): void {
    const { maxWantsPerSeed, doubtMs } = this.#limits
    if (waiting === 0) this.#isTooLong = false
    else if (waiting > maxWantsPerSeed && this.#waitMs(waiting) > doubtMs / 2) this.#isTooLong = true
  }

  /** When whoever is put off may ask here again: the line is through by then. */
  retryAfterMs(waiting: number): number {
    const { busyRetryMs, avoidPeerMs } = this.#limits
    return Math.min(Math.max(Math.ceil(this.#waitMs(waiting)), busyRetryMs), avoidPeerMs)
  }

  #waitMs(waiting: number): number {
    return waiting * (this.#gapMs ?? 0)
  }
}
