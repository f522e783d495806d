/**
 * What nodes tell their neighbours of the blocks they have: after 10 ms or 64 blocks, or 100 ms where there are few, to all of them; of a release of
 * few blocks to four, the same from the first to the last, and of the whole to two more (docs/protocol.md).
 */
import { isWorthTelling } from '../../core/fetch/offers.ts'
import { LIMITS } from '../../limits.ts'
import { below } from './draw.ts'
import { type Fleet, PLACES } from './fleet.ts'
import type { Holdings } from './holdings.ts'
import type { Network } from './network.ts'
import { ticksOfMs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

const BATCH_TICKS = ticksOfMs(LIMITS.haveBatchMs)
const PAUSE_TICKS = ticksOfMs(LIMITS.havePauseMs)
const FEW_PAUSE_TICKS = ticksOfMs(LIMITS.fewPauseMs)
const HAVE_BYTES = 20
const RANGE_BYTES = 4
const NEVER = 0

interface Parts {
  readonly fleet: Fleet
  readonly wheel: Wheel
  readonly network: Network
  readonly holdings: Holdings
}

export class News {
  readonly #parts: Parts
  readonly #blocks: number
  readonly #few: boolean
  readonly #kinds: { readonly flush: number; readonly have: number }
  /** By place of `neighbours`: how many of a node's blocks, in the order in which it got them, that neighbour was told of. */
  readonly #told: Int32Array
  /** By node, the most that any neighbour was told. */
  readonly #toldMost: Int32Array
  /** When a node tells next; one that came earlier made others void. */
  readonly #nextAt: Int32Array
  /** Of few blocks: how many neighbours a node told, places for more of them, and when there is one more. */
  readonly #toldPeers: Uint8Array
  readonly #late: Uint8Array
  readonly #lateAt: Int32Array
  readonly #gone: Uint8Array
  readonly #behind = new Int32Array(PLACES)

  /** @param blocks pages included */
  constructor(parts: Parts, blocks: number, kinds: { readonly flush: number; readonly have: number }) {
    const { size } = parts.fleet
    this.#parts = parts
    this.#blocks = blocks
    this.#few = blocks <= LIMITS.fewBlocks
    this.#kinds = kinds
    this.#told = new Int32Array(size * PLACES)
    this.#toldMost = new Int32Array(size)
    this.#nextAt = new Int32Array(size)
    this.#toldPeers = new Uint8Array(size)
    this.#late = new Uint8Array(size)
    this.#lateAt = new Int32Array(size)
    this.#gone = new Uint8Array(size * PLACES)
  }

  /** A node has one more block. */
  onBlock(node: number, block: number): void {
    const held = this.#parts.holdings.count[node] as number
    const told = this.#toldMost[node] as number
    if (held - told >= LIMITS.maxHaveBlocks) return this.#soon(node, 0)
    // Nothing more comes that it could be said with.
    if (held === this.#blocks) return this.#soon(node, this.#few ? 0 : BATCH_TICKS)
    // What nobody has told of would be gone with this node.
    const isFirst = !this.#few && !this.#parts.holdings.isTold(node, block)
    const isSoon = isFirst || isWorthTelling(held - told, told, LIMITS)
    this.#soon(node, isSoon ? BATCH_TICKS : PAUSE_TICKS)
  }

  /** This place holds somebody dead. */
  lose(place: number): void {
    if (this.#gone[place] === 0 && (this.#told[place] as number) > 0) {
      const node = Math.floor(place / PLACES)
      this.#toldPeers[node] = (this.#toldPeers[node] as number) - 1
    }
    this.#gone[place] = 1
  }

  /** It is time, unless another came before. */
  flush(node: number): void {
    const { tick } = this.#parts.wheel
    const isLate = this.#lateAt[node] === tick
    if (this.#nextAt[node] !== tick && !isLate) return
    this.#nextAt[node] = NEVER
    if (this.#few) this.#comeLate(node, isLate)
    const many = this.#findBehind(node)
    const chosen = this.#few ? this.#chooseFew(node, many) : many
    for (let n = 0; n < chosen; n++) this.#tell(node, this.#behind[n] as number)
  }

  /** When there is a place for one more: after the first round, and again and again; of the whole only for few. */
  #comeLate(node: number, isLate: boolean): void {
    const { wheel, holdings } = this.#parts
    const isFirst = this.#toldPeers[node] === 0 && this.#late[node] === 0
    if (isLate) this.#late[node] = (this.#late[node] as number) + 1
    const late = this.#late[node] as number
    if (isFirst || isLate) {
      this.#lateAt[node] = wheel.tick + FEW_PAUSE_TICKS * 2 ** late
      wheel.push(this.#lateAt[node] as number, this.#kinds.flush, node, 0, 0, 0)
    }
    if (holdings.count[node] === this.#blocks && late >= LIMITS.lateOffers) this.#lateAt[node] = NEVER
  }

  /**
   * Puts those that are told first: whoever was told a part, then as many others as there are places, first those that
   * told nothing themselves.
   * @returns how many these are
   */
  #chooseFew(node: number, many: number): number {
    const { holdings } = this.#parts
    let first = 0
    for (let n = 0; n < many; n++)
      if ((this.#told[this.#behind[n] as number] as number) > 0) this.#swap(first++, n)
    for (let n = first; n < many; n++) this.#swap(n, n + below(holdings.draw(node), many - n))
    let empty = first
    for (let n = first; n < many; n++)
      if (!holdings.knows(node, (this.#behind[n] as number) - node * PLACES)) this.#swap(empty++, n)
    const places = LIMITS.offersAtOnce + (this.#late[node] as number) - (this.#toldPeers[node] as number)
    const others = Math.max(0, Math.min(many - first, places))
    this.#toldPeers[node] = (this.#toldPeers[node] as number) + others
    return first + others
  }

  #tell(node: number, place: number): void {
    const { holdings, network, fleet } = this.#parts
    const from = this.#told[place] as number
    const to = holdings.count[node] as number
    this.#told[place] = to
    this.#toldMost[node] = to
    const bytes = HAVE_BYTES + Math.min(RANGE_BYTES * (to - from), Math.ceil(this.#blocks / 8))
    const peer = fleet.neighbours[place] as number
    // Whoever has it all learns nothing new: the bytes count, the event is spared.
    if (holdings.count[peer] === this.#blocks) network.traffic.control += bytes
    else network.control(node, peer, bytes, this.#kinds.have, to, from)
  }

  #findBehind(node: number): number {
    const held = this.#parts.holdings.count[node] as number
    let many = 0
    for (let place = node * PLACES; place < (node + 1) * PLACES; place++)
      if (this.#lacks(place, held)) this.#behind[many++] = place
    return many
  }

  #lacks(place: number, held: number): boolean {
    const { fleet, holdings } = this.#parts
    if (fleet.neighbours[place] === -1 || this.#gone[place] === 1) return false
    if ((this.#told[place] as number) >= held) return false
    const node = Math.floor(place / PLACES)
    return !this.#few || !holdings.knowsAll(node, place - node * PLACES)
  }

  #swap(a: number, b: number): void {
    const held = this.#behind[a] as number
    this.#behind[a] = this.#behind[b] as number
    this.#behind[b] = held
  }

  #soon(node: number, ticks: number): void {
    const { wheel } = this.#parts
    const at = wheel.tick + Math.max(1, ticks)
    const known = this.#nextAt[node] as number
    if (known !== NEVER && known <= at) return
    this.#nextAt[node] = at
    wheel.push(at, this.#kinds.flush, node, 0, 0, 0)
  }
}
