/** When an origin dies that is to die: what it gave away by then is all that the fleet will ever have. */
import type { Question } from './question.ts'
import { ticksOfNs } from './ticks.ts'

export class OriginDeath {
  /** It has had the time by then. Undefined: it lives on. */
  readonly tick: number | undefined
  readonly #mostBytes: number
  readonly #blocks: number
  readonly #out = new Set<number>()

  /** @param nsPerByte of its uplink */
  constructor({ bytes, failures }: Question, nsPerByte: number, blocks: number) {
    const { originAfterPayloads: payloads } = failures
    this.tick = payloads === undefined ? undefined : Math.ceil(ticksOfNs(bytes * nsPerByte) * payloads)
    this.#mostBytes = (payloads ?? Number.POSITIVE_INFINITY) * bytes
    this.#blocks = blocks
  }

  onBlockOut(block: number): void {
    this.#out.add(block)
  }

  /** It has sent so many payloads; or has had the time to, and each block is out: few ask it for a second copy. */
  isDue(tick: number, sentBytes: number): boolean {
    if (this.tick === undefined) return false
    return sentBytes >= this.#mostBytes || (tick >= this.tick && this.#out.size === this.#blocks)
  }
}
