/**
 * Which node holds which block, and what each knows of its neighbours: bitmaps, and beside them the order in which a
 * node got its blocks, so that a HAVE message is only a stretch of that order.
 */
import { LIMITS } from '../../limits.ts'
import { draw, PURPOSE } from './draw.ts'
import { type Fleet, PLACES } from './fleet.ts'

/** The number of the manifest among the blocks: without it a node knows of no other. */
export const MANIFEST = 0

/** A manifest of one file names each block in so many bytes: digest, size and their framing. */
const ENTRY_BYTES = 40
const MANIFEST_BYTES = 110

/** Of a release with so much content. */
export const manifestBytes = (bytes: number): number =>
  MANIFEST_BYTES + ENTRY_BYTES * Math.ceil(bytes / LIMITS.maxBlockBytes)

export class Holdings {
  /** Blocks each node holds. */
  readonly count: Int32Array
  /** Blocks that each was told of by two neighbours. */
  readonly spread: Int32Array
  readonly #blocks: number
  readonly #words: number
  readonly #seed: number
  readonly #have: Int32Array
  /** Asked of a neighbour and on the way. */
  readonly #asked: Int32Array
  /** Place (node, neighbour): what that neighbour has said it has. */
  readonly #told: Int32Array
  /** By node: what any neighbour has said it has, and what more than one has. */
  readonly #toldOnce: Int32Array
  readonly #toldTwice: Int32Array
  /** Place (node, neighbour): how many of those the node neither has nor has asked for. */
  readonly #useful: Int32Array
  readonly #order: Uint32Array | Uint16Array
  readonly #draws: Uint32Array

  constructor(fleet: Fleet, blocks: number, seed: number) {
    this.#blocks = blocks
    this.#seed = seed
    this.#words = Math.ceil(blocks / 32)
    this.count = new Int32Array(fleet.size)
    this.spread = new Int32Array(fleet.size)
    this.#have = new Int32Array(fleet.size * this.#words)
    this.#asked = new Int32Array(fleet.size * this.#words)
    this.#told = new Int32Array(fleet.size * PLACES * this.#words)
    this.#toldOnce = new Int32Array(fleet.size * this.#words)
    this.#toldTwice = new Int32Array(fleet.size * this.#words)
    this.#useful = new Int32Array(fleet.size * PLACES)
    const cells = fleet.size * blocks
    this.#order = blocks > 0xffff ? new Uint32Array(cells) : new Uint16Array(cells)
    this.#draws = new Uint32Array(fleet.size)
  }

  has(node: number, block: number): boolean {
    return this.#bit(this.#have, node, block)
  }

  isAsked(node: number, block: number): boolean {
    return this.#bit(this.#asked, node, block)
  }

  /** Everything at once: the origin. */
  fill(node: number): void {
    for (let block = 0; block < this.#blocks; block++) this.acquire(node, block)
  }

  acquire(node: number, block: number): void {
    if (this.isAsked(node, block)) this.#clear(this.#asked, node, block)
    else this.#reckon(node, block, -1)
    this.#set(this.#have, node, block)
    const held = this.count[node] as number
    this.#order[node * this.#blocks + held] = block
    this.count[node] = held + 1
  }

  ask(node: number, block: number): void {
    this.#set(this.#asked, node, block)
    this.#reckon(node, block, -1)
  }

  /** It is not coming: it may be asked for again. */
  unask(node: number, block: number): void {
    if (!this.isAsked(node, block)) return
    this.#clear(this.#asked, node, block)
    if (!this.has(node, block)) this.#reckon(node, block, 1)
  }

  /** A neighbour told of the blocks that it got as its `from`-th to, without it, `to`-th. */
  hear(node: number, edge: number, teller: number, from: number, to: number): void {
    for (let at = from; at < to; at++)
      this.tell(node, edge, this.#order[teller * this.#blocks + at] as number)
  }

  /** A node knows that this neighbour has a block, or will in a moment. */
  tell(node: number, edge: number, block: number): void {
    const place = node * PLACES + edge
    if (this.#bit(this.#told, place, block)) return
    this.#set(this.#told, place, block)
    const isSecond = this.#bit(this.#toldOnce, node, block)
    if (isSecond && !this.#bit(this.#toldTwice, node, block))
      this.spread[node] = (this.spread[node] as number) + 1
    this.#set(isSecond ? this.#toldTwice : this.#toldOnce, node, block)
    if (!this.has(node, block) && !this.isAsked(node, block))
      this.#useful[place] = (this.#useful[place] as number) + 1
  }

  forget(node: number, edge: number): void {
    const place = node * PLACES + edge
    this.#told.fill(0, place * this.#words, (place + 1) * this.#words)
    this.#useful[place] = 0
    for (let word = 0; word < this.#words; word++) this.#retell(node, word)
  }

  #retell(node: number, word: number): void {
    let once = 0
    let twice = 0
    const at = node * this.#words + word
    for (let place = node * PLACES; place < (node + 1) * PLACES; place++) {
      const told = this.#told[place * this.#words + word] as number
      twice |= once & told
      once |= told
    }
    const before = countOf(this.#toldTwice[at] as number)
    this.spread[node] = (this.spread[node] as number) + countOf(twice) - before
    this.#toldOnce[at] = once
    this.#toldTwice[at] = twice
  }

  isUseful(node: number, edge: number): boolean {
    return (this.#useful[node * PLACES + edge] as number) > 0
  }

  hasTold(node: number, edge: number, block: number): boolean {
    return this.#bit(this.#told, node * PLACES + edge, block)
  }

  /** That neighbour told of something. */
  knows(node: number, edge: number): boolean {
    const place = node * PLACES + edge
    return this.#told.subarray(place * this.#words, (place + 1) * this.#words).some((word) => word !== 0)
  }

  /** That neighbour told of all that the node has. */
  knowsAll(node: number, edge: number): boolean {
    for (let at = 0; at < (this.count[node] as number); at++)
      if (!this.hasTold(node, edge, this.#order[node * this.#blocks + at] as number)) return false
    return true
  }

  /** @param counts of a place (node, neighbour); each does unless said */
  isTold(node: number, block: number, counts?: (place: number) => boolean): boolean {
    for (let edge = 0; edge < PLACES; edge++)
      if (this.hasTold(node, edge, block) && counts?.(node * PLACES + edge) !== false) return true
    return false
  }

  /**
   * A random block among those that these neighbours have and the node lacks, one that only one of all has before the
   * others: a random place to look from, then the next word that has any, then one of its bits.
   * @param idle edges, `many` of them; each is useful
   * @returns −1 where there is none
   */
  choose(node: number, idle: Uint8Array, many: number): number {
    if (!this.has(node, MANIFEST)) return this.#manifest(node, idle, many)
    const first = this.draw(node) % this.#words
    let common = -1
    for (let step = 0; step < this.#words; step++) {
      const word = (first + step) % this.#words
      let told = 0
      for (let n = 0; n < many; n++)
        told |= this.#told[(node * PLACES + (idle[n] as number)) * this.#words + word] as number
      const at = node * this.#words + word
      const lacking = told & ~((this.#have[at] as number) | (this.#asked[at] as number))
      const single = lacking & ~(this.#toldTwice[at] as number)
      if (single !== 0) return word * 32 + oneOf(single, this.draw(node))
      if (lacking !== 0 && common === -1) common = word * 32 + oneOf(lacking, this.draw(node))
    }
    return common
  }

  #manifest(node: number, idle: Uint8Array, many: number): number {
    if (this.isAsked(node, MANIFEST)) return -1
    for (let n = 0; n < many; n++) if (this.hasTold(node, idle[n] as number, MANIFEST)) return MANIFEST
    return -1
  }

  draw(node: number): number {
    const n = this.#draws[node] as number
    this.#draws[node] = n + 1
    return draw(this.#seed, node, PURPOSE.choose, n)
  }

  /** What a node may pull grew or shrank by this block, at each neighbour that told of it. */
  #reckon(node: number, block: number, by: number): void {
    const word = block >> 5
    const mask = 1 << (block & 31)
    for (let place = node * PLACES; place < (node + 1) * PLACES; place++)
      if (((this.#told[place * this.#words + word] as number) & mask) !== 0)
        this.#useful[place] = (this.#useful[place] as number) + by
  }

  #bit(map: Int32Array, place: number, block: number): boolean {
    return ((map[place * this.#words + (block >> 5)] as number) & (1 << (block & 31))) !== 0
  }

  #set(map: Int32Array, place: number, block: number): void {
    const at = place * this.#words + (block >> 5)
    map[at] = (map[at] as number) | (1 << (block & 31))
  }

  #clear(map: Int32Array, place: number, block: number): void {
    const at = place * this.#words + (block >> 5)
    map[at] = (map[at] as number) & ~(1 << (block & 31))
  }
}

/** The place of a random bit of those set. */
function oneOf(bits: number, drawn: number): number {
  let left = drawn % countOf(bits)
  let rest = bits
  while (left-- > 0) rest &= rest - 1
  return 31 - Math.clz32(rest & -rest)
}

function countOf(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555)
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333)
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
