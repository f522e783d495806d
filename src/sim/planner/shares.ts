/**
 * What each gateway lacks of its own share, and for how much it asks neighbours meanwhile: its link is first for what
 * nobody else brings in, and the more so where neighbours have got far ahead of it.
 */
import { mostNear } from '../../core/fetch/own-part.ts'
import { LIMITS } from '../../limits.ts'
import type { Entry } from './entry.ts'
import { type Fleet, PLACES } from './fleet.ts'
import { type Holdings, MANIFEST } from './holdings.ts'

interface Parts {
  readonly fleet: Fleet
  readonly entry: Entry
  readonly holdings: Holdings
}

export class Shares {
  readonly #parts: Parts
  readonly #blocks: number
  /** By node: how much it lacks of what it is to bring in, since it has the manifest. */
  readonly #lacking: Int32Array

  constructor(parts: Parts, blocks: number) {
    this.#parts = parts
    this.#blocks = blocks
    this.#lacking = new Int32Array(parts.fleet.size)
  }

  /** Somebody knows all blocks: a gateway what of them it is to bring in. */
  onManifest(gateway: number): void {
    const { fleet, entry, holdings } = this.#parts
    const region = fleet.regionOf[gateway] as number
    if (fleet.gateways[region]?.includes(gateway) !== true) return
    let lacking = 0
    for (let block = MANIFEST + 1; block < this.#blocks; block++)
      if (entry.fetcher(region, block) === gateway && !holdings.has(gateway, block)) lacking++
    this.#lacking[gateway] = lacking
  }

  /** @returns whether it was the last that this gateway is to bring in */
  onBlock(node: number, block: number): boolean {
    const lacking = this.#lacking[node] as number
    const { fleet, entry } = this.#parts
    if (lacking === 0 || entry.fetcher(fleet.regionOf[node] as number, block) !== node) return false
    this.#lacking[node] = lacking - 1
    return lacking === 1
  }

  /** A node is known to be dead: the others of its region have its share, if it had one. */
  onDeath(gone: number): void {
    const { fleet, holdings } = this.#parts
    const gateways = fleet.gateways[fleet.regionOf[gone] as number] ?? []
    if (!gateways.includes(gone)) return
    for (const gateway of gateways)
      if (gateway !== gone && holdings.has(gateway, MANIFEST)) this.onManifest(gateway)
  }

  /** So many blocks a node asks of neighbours at once; one of each at a time. */
  most(node: number): number {
    if (this.#blocks <= LIMITS.fewBlocks || this.#lacking[node] === 0) return PLACES
    const { count, spread } = this.#parts.holdings
    return mostNear(count[node] as number, spread[node] as number, LIMITS)
  }
}
