/** To whom the origin gave each block: once, and once more where that one is known to be dead, or may well be. */
import { BLOCKS_PER_SPARE, MAX_SPARE } from '../../core/serve/copies.ts'
import { LIMITS } from '../../limits.ts'
import { ticksOfMs } from './ticks.ts'

/** A gateway that asks for nothing for so long may be dead: what it was given is given to another. */
export const DOUBT_TICKS = ticksOfMs(LIMITS.doubtMs)
const NOBODY = -1

export class OriginCopies {
  /** By block: to whom the origin gave it last. */
  readonly #given: Int32Array
  /** When each home gateway last asked the origin for a block or got one. */
  readonly #heardAt = new Map<number, number>()
  /** First copies given since the last that a doubt has cost, as far as they are saved up. */
  #earned = 0

  constructor(blocks: number) {
    this.#given = new Int32Array(blocks).fill(NOBODY)
  }

  heard(gateway: number, tick: number): void {
    this.#heardAt.set(gateway, tick)
  }

  /** Unasked. */
  gives(to: number, block: number): void {
    this.#given[block] = to
  }

  /** @returns who has it, or gets it already; −1: it is given */
  judge(to: number, block: number, tick: number, isLost: (node: number) => boolean): number {
    const holder = this.#given[block] as number
    this.heard(to, tick)
    if (holder === NOBODY) this.#earned = Math.min(MAX_SPARE * BLOCKS_PER_SPARE, this.#earned + 1)
    else if (holder !== to && !isLost(holder)) {
      const silentTicks = tick - (this.#heardAt.get(holder) ?? tick)
      if (silentTicks < DOUBT_TICKS || this.#earned < BLOCKS_PER_SPARE) return holder
      this.#earned -= BLOCKS_PER_SPARE
    }
    this.gives(to, block)
    return NOBODY
  }
}
