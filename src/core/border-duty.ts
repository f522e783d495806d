/**
 * What a gateway owes others: to its own region what it brought in, to other regions what they wait for here. Whoever
 * asks for blocks and whoever gives them go by it.
 */
import type { Digest } from '../model/ids.ts'
import { LatestSet } from './latest.ts'

/** Blocks brought in that no other gateway has asked for: 1 GiB of content; what is forgotten waits in line like all else. */
export const MAX_BROUGHT_IN = 4_096

export class BorderDuty {
  readonly #broughtIn = new LatestSet<Digest>(MAX_BROUGHT_IN)
  /** What other regions wait for here (at a seed its own, too) and is not here yet, in the order in which they asked. */
  awaited: readonly Digest[] = []

  /** From a seed, or over a border: until another gateway has it, it is gone with this node. */
  broughtIn(digest: Digest): void {
    this.#broughtIn.add(digest)
  }

  isToHandOn(digest: Digest): boolean {
    return this.#broughtIn.has(digest)
  }

  handedOn(digest: Digest): void {
    this.#broughtIn.delete(digest)
  }
}
