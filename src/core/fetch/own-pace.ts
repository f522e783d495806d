/**
 * How much of its own part a fetcher asks the seed for before others have what it brought in so far. What it alone has is
 * gone with it, and for good where the seed dies, too: on a busy host the seed would have given the whole away before
 * anything is handed on.
 */

/** Of what it is to bring in, one in so many may be under way, or with it alone: at 1 Gbit/s others have a block after 20 ms. */
const PARTS = 8
/** However small its part. */
const LEAST = 1
/** As many as eight full rounds: each is looked at again and again while it waits. */
const MOST = 64
/** Once nobody takes any only the latest are looked at. */
const MOST_IN_VAIN = 8
/**
 * So long one may be with it alone: who could take it does not, or more slowly than it comes, and is waited for no longer. On a
 * host whose cores are all busy it is with another after one to three seconds.
 */
export const IN_VAIN_MS = 5_000

interface Asking {
  /** Blocks of the release that it is to bring in, those that are here among them. */
  readonly own: number
  /** Asked of seeds here. */
  readonly underWay: number
  readonly now: number
}

export class OwnPace<Block> {
  readonly #inVain: number
  /** Brought in, and nobody else is known to have them: since when. The oldest first. */
  readonly #alone = new Map<Block, number>()
  #isInVain = false
  #isHeldBack = false

  /** @param inVain `IN_VAIN_MS`, as time is reckoned */
  constructor(inVain: number) {
    this.#inVain = inVain
  }

  /** One was with it alone for so long. */
  get isInVain(): boolean {
    return this.#isInVain
  }

  brought(block: Block, now: number): void {
    const most = this.#isInVain ? MOST_IN_VAIN : MOST
    for (const oldest of this.#alone.keys()) {
      if (this.#alone.size < most) break
      this.#alone.delete(oldest)
    }
    this.#alone.set(block, now)
  }

  /** Another has it. @returns whether more was held back until one has */
  taken(block: Block): boolean {
    if (!this.#alone.delete(block)) return false
    if (this.#alone.size === 0) this.#isInVain = false
    return this.#isHeldBack
  }

  /** @param isElsewhere another says that it has it */
  mayAsk({ own, underWay, now }: Asking, isElsewhere: (block: Block) => boolean): boolean {
    const most = Math.min(MOST, Math.max(LEAST, Math.ceil(own / PARTS)))
    if (underWay + this.#alone.size >= most) this.#look(now, isElsewhere)
    this.#isHeldBack = !this.#isInVain && underWay + this.#alone.size >= most
    return !this.#isHeldBack
  }

  #look(now: number, isElsewhere: (block: Block) => boolean): void {
    for (const block of this.#alone.keys()) if (isElsewhere(block)) this.taken(block)
    const [since = now] = this.#alone.values()
    if (now - since >= this.#inVain) this.#isInVain = true
  }
}
