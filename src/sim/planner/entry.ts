/**
 * Where each block enters a region: one gateway, by rendezvous hashing over those believed alive, and from which region
 * it gets it: a tree for each block, home at its root; all blocks of a release of three go the manifest's way
 * (docs/protocol.md).
 */
import { LIMITS } from '../../limits.ts'
import { draw, PURPOSE } from './draw.ts'
import type { Fleet } from './fleet.ts'
import { MANIFEST } from './holdings.ts'

/** Regions that a region hands each block on to. */
const EXPORT = LIMITS.exportRegions

export class Entry {
  readonly #fleet: Fleet
  readonly #blocks: number
  /** Place (region, block, turn): number of the gateway that is next in line; the first living one is the fetcher. */
  readonly #line: Uint8Array
  readonly #lineLength: number
  /** Place (region, block): the region it comes from; home's own is home. */
  readonly #parent: Uint8Array
  /** Who is known to be dead in the own region, and who in all others. */
  readonly #gone = new Set<number>()
  readonly #goneAbroad = new Set<number>()

  constructor(fleet: Fleet, blocks: number, seed: number) {
    this.#fleet = fleet
    this.#blocks = blocks
    this.#lineLength = Math.max(...fleet.gateways.map(({ length }) => length))
    this.#line = new Uint8Array(fleet.regions * blocks * this.#lineLength)
    this.#parent = new Uint8Array(fleet.regions * blocks)
    for (let block = 0; block < blocks; block++) {
      const key = blocks <= LIMITS.singleEntryBlocks ? MANIFEST : block
      for (let region = 0; region < fleet.regions; region++) this.#lineUp(region, block, key, seed)
      this.#plant(block, key, seed)
    }
  }

  /**
   * −1 where no gateway of the region is left.
   * @param skipped so many living ones that are before it in the line
   * @param from the region that asks, which knows its own dead sooner than others
   */
  fetcher(region: number, block: number, skipped = 0, from = region): number {
    const gateways = this.#fleet.gateways[region] as readonly number[]
    const first = (region * this.#blocks + block) * this.#lineLength
    let before = skipped
    for (let turn = 0; turn < gateways.length; turn++) {
      const gateway = gateways[this.#line[first + turn] as number] as number
      if (!this.isGone(gateway, from) && before-- === 0) return gateway
    }
    return -1
  }

  parent(region: number, block: number): number {
    return this.#parent[region * this.#blocks + block] as number
  }

  /** It is known to be dead: in its own region, or in the others. */
  lose(node: number, abroad: boolean): void {
    const gone = abroad ? this.#goneAbroad : this.#gone
    gone.add(node)
  }

  /** @param from the region that knows it, or does not yet */
  isGone(node: number, from: number): boolean {
    const gone = this.#fleet.regionOf[node] === from ? this.#gone : this.#goneAbroad
    return gone.has(node)
  }

  get isAnyGone(): boolean {
    return this.#gone.size > 0
  }

  #lineUp(region: number, block: number, key: number, seed: number): void {
    const gateways = this.#fleet.gateways[region] as readonly number[]
    const scored = gateways
      .map((gateway, at) => ({ at, score: draw(seed, gateway, PURPOSE.entry, key) }))
      .sort((a, b) => b.score - a.score || a.at - b.at)
    this.#line.set(
      scored.map(({ at }) => at),
      (region * this.#blocks + block) * this.#lineLength,
    )
  }

  #plant(block: number, key: number, seed: number): void {
    const others = this.#fleet.regions - 1
    const turn = others === 0 ? 0 : draw(seed, key, PURPOSE.tree, 0) % others
    const order = [0, ...Array.from({ length: others }, (_, n) => 1 + ((n + turn) % others))]
    order.forEach((region, place) => {
      const parent = place === 0 ? 0 : (order[Math.floor((place - 1) / EXPORT)] as number)
      this.#parent[region * this.#blocks + block] = parent
    })
  }
}
