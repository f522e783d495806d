/**
 * When a node takes a place that is free. All nodes of a region learn that one is at about the same moment; were all of them
 * to stand at once, each word would go through the whole region: 500 nodes whose places came free together had 36 of
 * them stand, and their host was busy for 35 s.
 */
import type { Limits } from '../../limits.ts'

/** Nodes of the largest region: the first of so many does not wait at all. A larger one only has more who do not. */
const LARGEST_REGION = 1_000_000
/** Of a rendezvous weight: what a number holds exactly. */
const HEX_DIGITS = 13

/**
 * The part of the longest wait that is this node's, 0 to 1: those who rank first come first, and whoever hears of enough of
 * them meanwhile does not stand. On a scale of logarithms, since how many nodes there are is not known: between the first and
 * the eighth lies as much time in a region of 50 as in one of 50,000 (exponential timers as in Nonnenmacher and Biersack,
 * "Scalable Feedback for Large Groups", 1999, with the rendezvous weight for the random number).
 */
export function turnOf(weight: string): number {
  const most = 16 ** HEX_DIGITS
  const share = (most - Number.parseInt(weight.slice(0, HEX_DIGITS), 16)) / most
  return Math.max(0, 1 + Math.log(share) / Math.log(LARGEST_REGION))
}

export class Turn {
  readonly #turn: number
  readonly #standDelayMs: number
  /** How many stood when it was looked at last. */
  #standing = 0
  #freeMonoMs: number | undefined
  /** A fleet that starts has no time to lose: each of its first gateways is missed. */
  #isFirst = true

  constructor(turn: number, { standDelayMs }: Pick<Limits, 'standDelayMs'>) {
    this.#turn = turn
    this.#standDelayMs = standDelayMs
  }

  /** No place is free. */
  passed(): void {
    this.#freeMonoMs = undefined
    this.#isFirst = false
  }

  /**
   * From when on it may stand, where a place is free.
   * @param standing how many others stand, whatever their rank: each makes one more less urgent, once there have been enough
   */
  fromMonoMs(standing: number, monoMs: number): number {
    // Fewer stand now: what is left of the longer wait is no wait, for nobody.
    if (this.#freeMonoMs === undefined || standing < this.#standing) this.#freeMonoMs = monoMs
    this.#standing = standing
    const longestMs = this.#isFirst ? this.#standDelayMs : this.#standDelayMs * (1 + standing)
    return this.#freeMonoMs + longestMs * this.#turn
  }
}
