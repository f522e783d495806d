/**
 * Moments at which something may be asked for anew. A tick forgets what others are to come for, and there is one for every
 * announcement that is due: what is still ahead is said again each time.
 */
export class Alarms {
  /** Whole milliseconds: of thousands that come close together a few are kept. */
  readonly #moments = new Set<number>()

  set(monoMs: number): void {
    this.#moments.add(Math.ceil(monoMs))
  }

  /** The first one ahead; infinity: none is. */
  next(monoMs: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const moment of this.#moments) {
      if (moment <= monoMs) this.#moments.delete(moment)
      else next = Math.min(next, moment)
    }
    return next
  }
}
