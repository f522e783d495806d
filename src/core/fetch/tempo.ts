/** What is learnt of how fast blocks come: how long one may take, and how many neighbours may be asked for at once. */
import type { Limits } from '../../limits.ts'
import type { Patience } from './patience.ts'
import type { WantWindow } from './want-window.ts'
import type { Asked } from './wants.ts'

export class Tempo {
  readonly #limits: Limits
  readonly #patience: Patience
  readonly #window: WantWindow
  /** When a neighbour's block came last. */
  #nearMonoMs = Number.NEGATIVE_INFINITY

  constructor(limits: Limits, patience: Patience, window: WantWindow) {
    this.#limits = limits
    this.#patience = patience
    this.#window = window
  }

  /** @param near other questions to neighbours that do not count as silent */
  came({ way, sinceMonoMs, silent }: Asked, near: number, monoMs: number): void {
    this.#patience.answered(monoMs - sinceMonoMs, way)
    if (way !== 'near') return
    this.#nearMonoMs = monoMs
    this.#window.arrived(near + 1, sinceMonoMs, silent === true, monoMs)
  }

  /**
   * A neighbour from which bytes came gave no block until the deadline, nor did any other since it was asked: the way is
   * slower than that, and shared by fewer something comes of it. Were others quicker meanwhile, it is that one's fault, and
   * says nothing of the way. Nor does one that ends much later than the deadline: this node was busy, or stood still.
   */
  cutOff({ way, sinceMonoMs }: Asked, near: number, monoMs: number): void {
    if (way !== 'near' || this.#nearMonoMs > sinceMonoMs) return
    const { blockDeadlineMs, repairMs } = this.#limits
    if (monoMs - sinceMonoMs > blockDeadlineMs + repairMs) return
    this.#patience.answered(monoMs - sinceMonoMs, way)
    this.#window.arrived(near + 1, sinceMonoMs, true, monoMs)
  }
}
