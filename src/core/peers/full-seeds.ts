/**
 * Full seeds, to a node that has peers enough and lacks only somebody who stores some channel. Where that channel is one that
 * few store it would find nobody else, and come back for ever: of a fleet whose nodes each have a channel of their own every
 * one that has no place would dial every few seconds, and be let in for another that then does.
 */
import type { Limits } from '../../limits.ts'
import type { Links } from '../degree.ts'

export class FullSeeds {
  readonly #limits: Pick<Limits, 'minDegree' | 'redialMaxMs'>
  /** How often one refused this node, or let it go, since its neighbours stored all its channels without one. */
  #refusals = 0
  #isShort = true
  #isFew = true

  constructor(limits: Pick<Limits, 'minDegree' | 'redialMaxMs'>) {
    this.#limits = limits
  }

  /** @returns true if too few peers of its region are linked, and that is news */
  look(isShort: boolean, { own, uncovered }: Links, isAtSeed: boolean): boolean {
    const wasFew = this.#isFew
    this.#isShort = isShort
    this.#isFew = isShort && own < this.#limits.minDegree
    if (uncovered.length === 0 && !isAtSeed) this.#refusals = 0
    return this.#isFew && !wasFew
  }

  /** Too few peers of its region are linked, and there are more. */
  get isFew(): boolean {
    return this.#isFew
  }

  /** How long a seed that is missed is left alone, at most. */
  get mostMs(): number {
    const { redialMaxMs } = this.#limits
    return this.#isFew ? redialMaxMs : redialMaxMs * 2 ** this.#refusals
  }

  /** @returns after how long this node comes back, that was told to come back after so long */
  refused(afterMs: number): number {
    const mostMs = this.#isShort ? this.mostMs : afterMs
    this.#refusals += 1
    return Math.min(afterMs, mostMs)
  }
}
