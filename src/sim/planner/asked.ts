/** What each node has asked of which neighbour: one block of each at a time, and of some nothing for a while. */
import { type Fleet, PLACES } from './fleet.ts'
import type { Holdings } from './holdings.ts'
import type { Wheel } from './wheel.ts'

const IDLE = 0
const WAITING = 1
const GONE = 2
/** Nothing was awaited there, or another block. */
export const NOTHING = -1

interface Parts {
  readonly fleet: Fleet
  readonly wheel: Wheel
  readonly holdings: Holdings
}

export class Asked {
  /** As `findIdle` left it: the node's edges to neighbours that it may ask for something. */
  readonly idle = new Uint8Array(PLACES)
  readonly #wheel: Wheel
  readonly #holdings: Holdings
  /** By place of `neighbours`: is a block on the way from there, which, and since when. */
  readonly #edge: Uint8Array
  readonly #wanted: Int32Array
  readonly #since: Int32Array
  readonly #avoidUntil: Int32Array
  /** By node. */
  readonly #underWay: Uint8Array

  constructor({ fleet, wheel, holdings }: Parts) {
    const places = fleet.size * PLACES
    this.#wheel = wheel
    this.#holdings = holdings
    this.#edge = new Uint8Array(places)
    this.#wanted = new Int32Array(places)
    this.#since = new Int32Array(places)
    this.#avoidUntil = new Int32Array(places)
    this.#underWay = new Uint8Array(fleet.size)
  }

  /** Blocks that a node has asked of neighbours and that did not come yet. */
  underWay(node: number): number {
    return this.#underWay[node] as number
  }

  isGone(place: number): boolean {
    return this.#edge[place] === GONE
  }

  /** The node has not waited there for longer than this. */
  isInTime(place: number, ticks: number): boolean {
    return this.#edge[place] !== WAITING || (this.#since[place] as number) + ticks > this.#wheel.tick
  }

  ask(node: number, edge: number, block: number): void {
    const place = node * PLACES + edge
    this.#edge[place] = WAITING
    this.#wanted[place] = block
    this.#since[place] = this.#wheel.tick
    this.#underWay[node] = (this.#underWay[node] as number) + 1
    this.#holdings.ask(node, block)
  }

  /** A block is there. @returns for how long it was awaited of that neighbour; `NOTHING` where it was not */
  come(place: number, block: number): number {
    if (!this.#awaits(place, block)) return NOTHING
    this.#end(place)
    return this.#wheel.tick - (this.#since[place] as number)
  }

  /** It does not come from there, and nothing is asked of that neighbour for a while. False: it was not awaited. */
  avoid(place: number, block: number, ticks: number): boolean {
    if (!this.#awaits(place, block)) return false
    this.#end(place)
    this.#avoidUntil[place] = this.#wheel.tick + ticks
    this.#holdings.unask(Math.floor(place / PLACES), block)
    return true
  }

  /** That neighbour is dead: what was awaited of it may be asked of others. */
  lose(place: number): void {
    if (this.#edge[place] === WAITING) {
      this.#end(place)
      this.#holdings.unask(Math.floor(place / PLACES), this.#wanted[place] as number)
    }
    this.#edge[place] = GONE
  }

  /** @returns how many of `idle` it filled */
  findIdle(node: number): number {
    let many = 0
    for (let edge = 0; edge < PLACES; edge++) {
      const place = node * PLACES + edge
      if (this.#edge[place] !== IDLE || !this.#holdings.isUseful(node, edge)) continue
      if ((this.#avoidUntil[place] as number) <= this.#wheel.tick) this.idle[many++] = edge
    }
    return many
  }

  #awaits(place: number, block: number): boolean {
    return this.#edge[place] === WAITING && this.#wanted[place] === block
  }

  #end(place: number): void {
    const node = Math.floor(place / PLACES)
    this.#edge[place] = IDLE
    this.#underWay[node] = (this.#underWay[node] as number) - 1
  }
}
