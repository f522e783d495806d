import type { Now } from './events.ts'

const SET_MS = 3_600_000

/** Whether somebody set the wall clock: it went on by an hour more, or less, than the time that has passed. */
export class ClockSet {
  #aheadMs: number | undefined

  /** @returns true if it was set since the first look, or since it last was */
  look({ wallMs, monoMs }: Now): boolean {
    const aheadMs = wallMs - monoMs
    const wasSet = Math.abs(aheadMs - (this.#aheadMs ?? aheadMs)) > SET_MS
    if (wasSet || this.#aheadMs === undefined) this.#aheadMs = aheadMs
    return wasSet
  }
}
