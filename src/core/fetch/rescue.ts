/** When what nobody brings in is asked for all the same, and how much of it at once: of one release. */
import type { Limits } from '../../limits.ts'

/** While nothing comes, so many at most: what a whole region waits for is rarely one block. */
const MOST_BLINDLY = 8

export class Rescue {
  readonly #limits: Limits
  #nextMonoMs: number
  /** Goes since a block came last. */
  #goes = 0
  #atOnce = 0
  #underWay = 0

  constructor(monoMs: number, limits: Limits) {
    this.#limits = limits
    this.#nextMonoMs = monoMs + limits.rescueMs
  }

  isDue(monoMs: number): boolean {
    return monoMs >= this.#nextMonoMs
  }

  /** Each time later: a whole region that waits must not all ask the seed again and again. */
  postpone(monoMs: number, random: number): void {
    const { rescueMs } = this.#limits
    this.#nextMonoMs = monoMs + rescueMs * Math.min(2 ** this.#goes, MOST_BLINDLY) * (0.5 + random)
  }

  /** For how many blocks: the more the longer nothing comes. */
  begin(): number {
    const blocks = Math.min(2 ** this.#goes, MOST_BLINDLY)
    this.#goes += 1
    return blocks
  }

  onBlock(): void {
    this.#goes = 0
  }

  asked(): void {
    this.#underWay += 1
  }

  /**
   * What a seed gives at the first word nobody has had from it: whoever should bring in the rest does not either, and the
   * next are asked for as these come, one more at a time (the slow start of RFC 5681). Where it says anything else somebody
   * does, and none is asked for any more: on a crowded host, where all are late, each would be a copy that leaves the seed.
   */
  ended(gaveFirst: boolean): void {
    this.#underWay -= 1
    if (gaveFirst) this.#atOnce = Math.min(Math.max(this.#atOnce, 1) + 1, this.#limits.maxWantsPerSeed)
    else this.#atOnce = 0
  }

  /** The seed near may be asked for one more. */
  get goesOn(): boolean {
    return this.#underWay < this.#atOnce
  }
}
