/** When records are exchanged with a neighbour: soon while links are missed or there is something new, ever later otherwise. */
import type { Limits } from '../../limits.ts'
import type { CoreConfig } from '../config.ts'

/**
 * Twice the wanted links, and what one answer brings: whoever knows so many finds others when its neighbours go. In a fleet
 * of hundreds there is something new in nearly every answer, for an hour, and each is 30 KiB.
 */
export const ENOUGH_KNOWN = 32

export class ExchangePace {
  readonly #limits: Pick<Limits, 'exchangeMinMs' | 'exchangeMaxMs'>
  readonly #random: () => number
  #pauseMs: number
  #nextMonoMs = 0

  constructor({ limits, random }: Pick<CoreConfig, 'limits' | 'random'>) {
    this.#limits = limits
    this.#random = random
    this.#pauseMs = limits.exchangeMinMs
  }

  isDue(monoMs: number): boolean {
    return monoMs >= this.#nextMonoMs
  }

  soon(monoMs: number): void {
    this.quicken()
    this.#nextMonoMs = Math.min(this.#nextMonoMs, monoMs + this.#pauseMs)
  }

  /** The pause after the next one is short again. */
  quicken(): void {
    this.#pauseMs = this.#limits.exchangeMinMs
  }

  /** One begins, or finds nobody. */
  passed(monoMs: number): void {
    this.#nextMonoMs = monoMs + this.#pauseMs * (0.75 + this.#random() / 2)
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#limits.exchangeMaxMs)
  }
}
