/**
 * How long a block may take before somebody else is asked: the retransmission timer of TCP (RFC 6298), never below
 * the limits. On a busy host every answer is late, and asking twice would make it busier.
 */
import type { Limits } from '../limits.ts'

interface Estimate {
  smoothMs: number
  variationMs: number
}

export class Patience {
  readonly #limits: Limits
  readonly #estimates = new Map<boolean, Estimate>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** @param border over a region border: its round trips are longer */
  answered(tookMs: number, border: boolean): void {
    const known = this.#estimates.get(border)
    if (known === undefined) {
      this.#estimates.set(border, { smoothMs: tookMs, variationMs: tookMs / 2 })
      return
    }
    known.variationMs = (3 * known.variationMs + Math.abs(known.smoothMs - tookMs)) / 4
    known.smoothMs = (7 * known.smoothMs + tookMs) / 8
  }

  /** @param tries asked in vain before; each doubles it, so that a slow network is not asked ever more */
  silenceMs(border: boolean, tries: number): number {
    const { blockSilenceMs, borderSilenceMs, blockDeadlineMs } = this.#limits
    const least = blockSilenceMs + (border ? borderSilenceMs : 0)
    const known = this.#estimates.get(border)
    const usual = known === undefined ? 0 : known.smoothMs + 4 * known.variationMs
    return Math.min(Math.max(least, usual) * 2 ** Math.min(tries, 4), blockDeadlineMs / 2)
  }
}
