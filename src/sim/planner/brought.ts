/**
 * What each node brought into its region itself, until another gateway there has asked it for it: so long the block would
 * be gone with this node, and its region waits for its uplink, however slow that is.
 */
import { type Fleet, ORIGIN } from './fleet.ts'

export class Brought {
  readonly #fleet: Fleet
  readonly #owed = new Map<number, Set<number>>()

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** A node has a block, and who gave it. */
  onBlock(node: number, from: number, block: number): void {
    if (from !== ORIGIN && this.#fleet.regionOf[from] === this.#fleet.regionOf[node]) return
    const owed = this.#owed.get(node)
    if (owed === undefined) this.#owed.set(node, new Set([block]))
    else owed.add(block)
  }

  /** Somebody of the region asks: does it get the block before others? Only the first gateway that does. */
  settle(node: number, asker: number, block: number): boolean {
    const owed = this.#owed.get(node)
    if (owed === undefined || !owed.has(block)) return false
    const gateways = this.#fleet.gateways[this.#fleet.regionOf[node] as number] ?? []
    return gateways.includes(asker) && owed.delete(block)
  }
}
