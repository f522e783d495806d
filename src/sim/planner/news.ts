/**
 * What nodes tell their neighbours of the blocks they have: after 10 ms or 64 blocks, to all of them; of a release of
 * few blocks to four at a time, the others as it is taken up, since most get it from those few (docs/protocol.md).
 */
import { below } from './draw.ts'
import { CONNECTIONS, type Fleet } from './fleet.ts'
import type { Holdings } from './holdings.ts'
import type { Network } from './network.ts'
import { ticksOfMs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

const BATCH_TICKS = ticksOfMs(10)
const MOST_BLOCKS = 64
const FEW_BLOCKS = 16
const FEW_AT_ONCE = 4
/** Rounds that nobody takes up come later each time, up to 32 batches. */
const MAX_IDLE_ROUNDS = 5
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
  readonly #idleRounds: Uint8Array
  readonly #gone: Uint8Array
  readonly #behind = new Int32Array(CONNECTIONS)

  /** @param blocks pages included */
  constructor(parts: Parts, blocks: number, kinds: { readonly flush: number; readonly have: number }) {
    const { size } = parts.fleet
    this.#parts = parts
    this.#blocks = blocks
    this.#few = blocks <= FEW_BLOCKS
    this.#kinds = kinds
    this.#told = new Int32Array(size * CONNECTIONS)
    this.#toldMost = new Int32Array(size)
    this.#nextAt = new Int32Array(size)
    this.#idleRounds = new Uint8Array(size)
    this.#gone = new Uint8Array(size * CONNECTIONS)
  }

  /** A node has one more block. */
  onBlock(node: number): void {
    const held = this.#parts.holdings.count[node] as number
    const now = held - (this.#toldMost[node] as number) >= MOST_BLOCKS || (this.#few && held === this.#blocks)
    this.#soon(node, now ? 0 : BATCH_TICKS)
  }

  /** A neighbour asked a node for a block: what it tells is taken up. */
  onTaken(node: number): void {
    if (!this.#few) return
    this.#idleRounds[node] = 0
    if (this.#isBehind(node)) this.#soon(node, BATCH_TICKS)
  }

  /** This place holds somebody dead. */
  lose(place: number): void {
    this.#gone[place] = 1
  }

  /** It is time, unless another came before. */
  flush(node: number): void {
    const { wheel, holdings } = this.#parts
    if (this.#nextAt[node] !== wheel.tick) return
    this.#nextAt[node] = NEVER
    const many = this.#findBehind(node)
    const chosen = this.#few ? Math.min(FEW_AT_ONCE, many) : many
    for (let n = 0; n < chosen; n++) {
      if (this.#few) this.#swap(n, n + below(holdings.draw(node), many - n))
      this.#tell(node, this.#behind[n] as number)
    }
    if (chosen === many) return
    const idle = this.#idleRounds[node] as number
    this.#idleRounds[node] = Math.min(idle + 1, MAX_IDLE_ROUNDS)
    const pause = BATCH_TICKS * 2 ** idle
    this.#soon(node, Math.floor(pause * 0.75) + below(holdings.draw(node), pause / 2))
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
    for (let place = node * CONNECTIONS; place < (node + 1) * CONNECTIONS; place++)
      if (this.#lacks(place, held)) this.#behind[many++] = place
    return many
  }

  #isBehind(node: number): boolean {
    const held = this.#parts.holdings.count[node] as number
    for (let place = node * CONNECTIONS; place < (node + 1) * CONNECTIONS; place++)
      if (this.#lacks(place, held)) return true
    return false
  }

  #lacks(place: number, held: number): boolean {
    if (this.#parts.fleet.neighbours[place] === -1 || this.#gone[place] === 1) return false
    return (this.#told[place] as number) < held
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
