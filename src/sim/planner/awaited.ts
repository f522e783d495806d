/**
 * What is awaited at gateways: by other regions, whose wants stand there until the block is there or are put off, and by
 * those of the own region that the origin sent there. What another region waits for is pulled before all else.
 */
import type { Entry } from './entry.ts'
import type { Fleet } from './fleet.ts'
import { type Holdings, MANIFEST } from './holdings.ts'
import type { Network } from './network.ts'
import { PutOff } from './put-off.ts'
import type { Uploads } from './uploads.ts'

const PUT_OFF_BYTES = 30
const NOBODY = -1

interface Parts {
  readonly fleet: Fleet
  readonly network: Network
  readonly entry: Entry
  readonly holdings: Holdings
  readonly uploads: Uploads
  /** Gives a neighbour a block, or tells it that there is no room. */
  readonly serve: (node: number, to: number, block: number) => void
}

export class Awaited {
  readonly #parts: Parts
  readonly #blocks: number
  readonly #putOffKind: number
  readonly #putOff: PutOff
  /** Place (region, block): with whom its want stands, and whose it is. */
  readonly #standsAt: Int32Array
  readonly #standsFor: Int32Array
  /** By gateway: what other regions wait for here, at home all that it is to bring in. */
  readonly #first = new Map<number, number[]>()

  constructor(parts: Parts, blocks: number, putOffKind: number) {
    const places = parts.fleet.regions * blocks
    this.#parts = parts
    this.#blocks = blocks
    this.#putOffKind = putOffKind
    this.#putOff = new PutOff(parts, places)
    this.#standsAt = new Int32Array(places).fill(NOBODY)
    this.#standsFor = new Int32Array(places).fill(NOBODY)
  }

  /** A want for one block has arrived: served now, or when it is there, unless it is put off. */
  onWant(at: number, from: number, block: number): void {
    const { fleet, holdings, uploads } = this.#parts
    const place = (fleet.regionOf[from] as number) * this.#blocks + block
    if (holdings.has(at, block)) {
      uploads.promise(at, from, block)
      return this.#look(at)
    }
    if (fleet.regionOf[at] !== fleet.regionOf[from]) {
      if (this.#putOff.applies(at, place)) return this.#sendOn(at, from, place)
      this.pullFirst(at, [block])
    }
    this.#standsAt[place] = at
    this.#standsFor[place] = from
  }

  /** A node has a block: those who wait for it get it. */
  onBlock(node: number, block: number): void {
    const { fleet, uploads, serve } = this.#parts
    let crosses = false
    for (let region = 0; region < fleet.regions; region++) {
      const place = region * this.#blocks + block
      if (this.#standsAt[place] !== node) continue
      this.#standsAt[place] = NOBODY
      const to = this.#standsFor[place] as number
      if (fleet.regionOf[node] === region) serve(node, to, block)
      else {
        uploads.promise(node, to, block)
        crosses = true
      }
    }
    if (crosses) this.#look(node)
  }

  /** It would put this want off, too. @returns how often that was now */
  passOver(place: number): number {
    return this.#putOff.passOver(place)
  }

  /** A block has left a node. */
  onLeft(node: number): void {
    this.#putOff.onLeft(node)
  }

  /** Whatever else neighbours have, this gateway asks them for these as soon as they have them. */
  pullFirst(gateway: number, blocks: readonly number[]): void {
    const before = this.#first.get(gateway)
    if (before === undefined) this.#first.set(gateway, [...blocks])
    else before.push(...blocks.filter((block) => !before.includes(block)))
  }

  /** Of these idle neighbours' blocks first one that another region waits for here. */
  choose(node: number, idle: Uint8Array, many: number): number {
    const { holdings } = this.#parts
    const first = holdings.has(node, MANIFEST) ? (this.#first.get(node) ?? []) : []
    for (const block of first) {
      if (holdings.has(node, block) || holdings.isAsked(node, block)) continue
      for (let n = 0; n < many; n++) if (holdings.hasTold(node, idle[n] as number, block)) return block
    }
    return holdings.choose(node, idle, many)
  }

  /** Where from now on too much waits for other regions, what stands here and is not there yet had better be got elsewhere. */
  #look(at: number): void {
    if (!this.#putOff.begins(at)) return
    for (let place = 0; place < this.#standsAt.length; place++) {
      if (this.#standsAt[place] !== at || this.#isOfRegion(at, place)) continue
      if (!this.#putOff.applies(at, place)) continue
      this.#standsAt[place] = NOBODY
      this.#sendOn(at, this.#standsFor[place] as number, place)
    }
  }

  #sendOn(at: number, to: number, place: number): void {
    const times = this.#putOff.note(place)
    this.#parts.network.control(at, to, PUT_OFF_BYTES, this.#putOffKind, place % this.#blocks, times)
  }

  #isOfRegion(node: number, place: number): boolean {
    return Math.floor(place / this.#blocks) === this.#parts.fleet.regionOf[node]
  }
}
