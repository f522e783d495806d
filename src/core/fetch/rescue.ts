/** When what nobody brings in is asked for all the same, and how much of it at once: of one release. */
import type { Limits } from '../../limits.ts'
import type { BlocksReply } from '../../model/messages.ts'
import type { Asked } from './wants.ts'

/** While nothing comes, so many at most: what a whole region waits for is rarely one block. */
const MOST_BLINDLY = 8
/** What is asked for over a border, and not answered, is followed by the next after up to so many times `rescueMs`, a half more or less. */
const MOST_WAITS = 64
/** Of nodes that wait side by side so many, on average, ask over a border in one go: more would share it to no end. */
const CROSS_AT_ONCE = 2
/** So many goes in a row, of about 16 s at first, a node leaves to the others. */
const MOST_LEFT = 6

type Ended = Pick<Asked, 'failed' | 'silent'>

export class Rescue {
  readonly #limits: Limits
  #nextMonoMs: number
  /** Goes since a block came last. */
  #goes = 0
  #atOnce = 0
  #underWay = 0
  /** Nothing came of what was asked for over a border since. */
  #isUnanswered = false
  /** A go was put off because of that. */
  #isPutOff = false
  /** What was asked for over a border last was answered in time. */
  #isQuick = false
  /** It was drawn in this go, where there was need to ask. */
  #crosses: boolean | undefined
  /** Goes in a row that were left to others, since a block came last. */
  #left = 0

  constructor(monoMs: number, limits: Limits) {
    this.#limits = limits
    this.#nextMonoMs = monoMs + limits.rescueMs
  }

  isDue(monoMs: number): boolean {
    return monoMs >= this.#nextMonoMs
  }

  /**
   * Each time later: a whole region that waits must not all ask the seed again and again. Over a border that does not answer
   * much later: it may be slow, and what each node of the region asks for would keep out what the gateways bring in.
   */
  postpone(monoMs: number, random: number): void {
    const { rescueMs } = this.#limits
    const most = this.#isUnanswered ? MOST_WAITS : MOST_BLINDLY
    this.#isPutOff = this.#isUnanswered
    this.#nextMonoMs = monoMs + rescueMs * Math.min(2 ** this.#goes, most) * (0.5 + random)
  }

  /** For how many blocks: the more the longer nothing comes, but over a border that does not answer. */
  begin(): number {
    const blocks = this.#isUnanswered ? 1 : Math.min(2 ** this.#goes, MOST_BLINDLY)
    this.#goes += 1
    if (this.#crosses === false) this.#left += 1
    this.#crosses = undefined
    return blocks
  }

  /**
   * Whether it is for this node to ask over a border in this go. Its neighbours wait as it does, and would ask as it does:
   * until the border is known to be quick it is drawn, each time anew, who of them asks, two on average however many they are
   * (as the random timers of SRM: Floyd and others, 1995). As the others may have no link there, a node that was not drawn
   * for long asks all the same, for one block.
   */
  crosses(neighbours: number, random: () => number): boolean {
    this.#crosses ??= this.#isQuick || random() * neighbours < CROSS_AT_ONCE
    if (!this.#crosses && this.#left < MOST_LEFT) return false
    this.#left = 0
    return true
  }

  /** Nothing was to be asked, as where the question before stands: over a border that does not answer the next go is far off. */
  wasInVain(monoMs: number, random: number): void {
    // That it was for others to ask is a go as any other.
    if (!this.#isUnanswered || this.#crosses === false) return
    this.#goes -= 1
    this.#nextMonoMs = monoMs + this.#limits.rescueMs * (0.5 + random)
  }

  onBlock(): void {
    this.#goes = 0
    this.#left = 0
    this.#crosses = undefined
  }

  asked(border: boolean): void {
    this.#underWay += 1
    if (border) this.#isUnanswered = true
  }

  /**
   * What a seed gives at the first word nobody has had from it: whoever should bring in the rest does not either, and the
   * next are asked for as these come, one more at a time (the slow start of RFC 5681). Where it says anything else somebody
   * does, and none is asked for any more: on a crowded host, where all are late, each would be a copy that leaves the seed.
   */
  ended(said: BlocksReply['type'] | undefined, { failed, silent }: Ended, monoMs: number): void {
    this.#underWay -= 1
    // Whom a seed sends on learns nothing of the way that blocks take.
    if (said === 'block' || said === 'gone') {
      this.#isUnanswered = false
      this.#isQuick = silent !== true
      if (this.#isQuick) this.#isBack(monoMs)
    } else if (said === undefined) this.#isQuick = false
    if (said === 'block' && !failed)
      this.#atOnce = Math.min(Math.max(this.#atOnce, 1) + 1, this.#limits.maxWantsPerSeed)
    else this.#atOnce = 0
  }

  /** A border that answers in time again: nobody waits for the go that was put off while it did not. */
  #isBack(monoMs: number): void {
    if (!this.#isPutOff) return
    this.#isPutOff = false
    this.#goes = 0
    this.#nextMonoMs = Math.min(this.#nextMonoMs, monoMs + this.#limits.rescueMs)
  }

  /** The seed near may be asked for one more. */
  get goesOn(): boolean {
    return this.#underWay < this.#atOnce
  }
}
