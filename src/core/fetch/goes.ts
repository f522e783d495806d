/**
 * Which releases are looked at in one go, and in which order. Whoever is first takes the places there are, at neighbours and in
 * memory: a release of few blocks would wait for all that was begun before it, for minutes where the link is slow. So what lacks
 * least goes first (the shortest remaining time first: Schrage, 1968), and so that many small ones do not keep a large one from
 * ever being whole, what was begun first has each fourth place.
 */
import type { FetchJob } from './job.ts'
import { Rounds } from './rounds.ts'

const OLDEST_EACH = 4

export class Goes {
  readonly #rounds: Rounds<FetchJob>
  /** Places given since the oldest went first. Goes do not count: most find none. */
  #given = 0
  #isOldestFirst = false

  /** @param most looked at in one go */
  constructor(most: number) {
    this.#rounds = new Rounds(most)
  }

  /** The last go was not over all of them. */
  get areOthersLeft(): boolean {
    return this.#rounds.areOthersLeft
  }

  /**
   * @param every in the order in which they were begun
   * @param first where they are too many for one go, one that is to be among them, in its turn or not
   */
  next(every: readonly FetchJob[], first?: FetchJob): readonly FetchJob[] {
    const go = this.#rounds.next(every, first)
    this.#isOldestFirst = go.length > 1 && this.#given >= OLDEST_EACH - 1
    return this.#isOldestFirst ? go : [...go].sort((a, b) => a.missing.size - b.missing.size)
  }

  /** A go of one, whosever turn it is. */
  alone(one: FetchJob): readonly FetchJob[] {
    this.#isOldestFirst = false
    return [one]
  }

  /** A block is asked for in this go. */
  gave(): void {
    this.#given = this.#isOldestFirst ? 0 : this.#given + 1
  }
}
