/**
 * The cores of a machine that all nodes share, as processes do: work takes the core that is free first, first come, first
 * served, and none is idle while any work waits.
 */
import { ticksOfMs } from './ticks.ts'

interface Span {
  readonly from: number
  readonly to: number
}

export class SharedCores {
  readonly #workTicks: number
  /** By core, in order: when it is at work. */
  readonly #busy: readonly Span[][]
  /** By core, in order: when it is at work that goes first. */
  readonly #ahead: readonly (readonly Span[])[]

  /**
   * @param workMs CPU of each piece of work
   * @param ahead of the same cores, what goes before all work here, which stands still meanwhile
   */
  constructor(cores: number, workMs: number, ahead?: SharedCores) {
    this.#workTicks = ticksOfMs(workMs)
    this.#busy = Array.from({ length: cores }, () => [])
    this.#ahead = ahead === undefined ? [] : ahead.#busy
  }

  /** Takes a piece of work that comes at this tick. @returns the tick at which it is done */
  work(tick: number): number {
    const spans = this.#busy.map((_, core) => this.#next(core, tick))
    const to = Math.min(...spans.map((span) => span.to))
    const core = spans.findIndex((span) => span.to === to)
    this.#busy[core]?.push(spans[core] as Span)
    return to
  }

  /** When this core would be at a piece of work that comes at this tick. */
  #next(core: number, tick: number): Span {
    const from = Math.max(tick, this.#busy[core]?.at(-1)?.to ?? 0)
    let to = from + this.#workTicks
    for (const first of this.#ahead[core] ?? [])
      if (first.to > from && first.from < to) to += first.to - Math.max(first.from, from)
    return { from, to }
  }
}
