/**
 * What each node sends: one block after another, those for other regions first, then what is handed to gateways of its
 * own, then at most four others.
 */
import { LIMITS } from '../../limits.ts'
import type { Fleet } from './fleet.ts'
import type { Network } from './network.ts'
import { ticksOfNs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

/** Blocks in an upload queue, the one being sent included. */
const QUEUE_BLOCKS = LIMITS.maxServed
const NOBODY = -1

export class Uploads {
  readonly #wheel: Wheel
  readonly #network: Network
  readonly #doneKind: number
  /** The block being sent, and to whom. */
  readonly #to: Int32Array
  readonly #what: Int32Array
  readonly #queue: Int32Array
  readonly #length: Uint8Array
  /** Only gateways and the origin have one. */
  readonly #border = new Map<number, [to: number, what: number][]>()
  /** Only gateways have one. */
  readonly #handed = new Map<number, [to: number, what: number][]>()

  constructor(fleet: Fleet, wheel: Wheel, network: Network, doneKind: number) {
    this.#wheel = wheel
    this.#network = network
    this.#doneKind = doneKind
    this.#to = new Int32Array(fleet.size).fill(NOBODY)
    this.#what = new Int32Array(fleet.size)
    this.#queue = new Int32Array(fleet.size * QUEUE_BLOCKS * 2)
    this.#length = new Uint8Array(fleet.size)
  }

  /** False where the queue is full. */
  offer(node: number, to: number, what: number): boolean {
    const sending = this.#to[node] === NOBODY ? 0 : 1
    const length = this.#length[node] as number
    if (length + sending >= QUEUE_BLOCKS) return false
    if (sending === 0) this.#send(node, to, what, this.#network.nowNs)
    else {
      const at = (node * QUEUE_BLOCKS + length) * 2
      this.#queue[at] = to
      this.#queue[at + 1] = what
      this.#length[node] = length + 1
    }
    return true
  }

  /** Before everything that waits, behind what other regions were promised earlier. */
  promise(node: number, to: number, what: number): void {
    this.#lineUp(this.#border, node, to, what)
  }

  /** To a gateway of the same region: behind what other regions wait for, before all else, however much that is. */
  hand(node: number, to: number, what: number): void {
    this.#lineUp(this.#handed, node, to, what)
  }

  /** Blocks that wait for other regions. */
  abroad(node: number): number {
    return this.#border.get(node)?.length ?? 0
  }

  /** A block has left: the next goes out. */
  next(node: number): void {
    this.#to[node] = NOBODY
    const ahead = this.#border.get(node)?.shift() ?? this.#handed.get(node)?.shift()
    if (ahead !== undefined) return this.#send(node, ...ahead, 0)
    const length = this.#length[node] as number
    if (length === 0) return
    const first = node * QUEUE_BLOCKS * 2
    const [to, what] = [this.#queue[first] as number, this.#queue[first + 1] as number]
    this.#queue.copyWithin(first, first + 2, first + length * 2)
    this.#length[node] = length - 1
    this.#send(node, to, what, 0)
  }

  /** What a dead node will not send, the block under way included. */
  drop(node: number): readonly (readonly [to: number, what: number])[] {
    const lost: [number, number][] = [...(this.#border.get(node) ?? []), ...(this.#handed.get(node) ?? [])]
    if (this.#to[node] !== NOBODY) lost.push([this.#to[node] as number, this.#what[node] as number])
    for (let n = 0; n < (this.#length[node] as number); n++) {
      const at = (node * QUEUE_BLOCKS + n) * 2
      lost.push([this.#queue[at] as number, this.#queue[at + 1] as number])
    }
    return lost
  }

  /** Was this block under way when its sender died? */
  isCut(from: number, to: number, what: number): boolean {
    return this.#to[from] === to && this.#what[from] === what
  }

  #lineUp(line: Map<number, [to: number, what: number][]>, node: number, to: number, what: number): void {
    if (this.#to[node] === NOBODY) return this.#send(node, to, what, this.#network.nowNs)
    const waiting = line.get(node)
    if (waiting === undefined) line.set(node, [[to, what]])
    else waiting.push([to, what])
  }

  /** @param notBeforeNs 0 for what follows at once: the link knows to the nanosecond when it is free */
  #send(node: number, to: number, what: number, notBeforeNs: number): void {
    const { up } = this.#network
    this.#to[node] = to
    this.#what[node] = what
    up.pass(node, notBeforeNs, 0, this.#network.bytesOf(what))
    this.#network.leave(node, to, what, up.startNs, up.lagNs)
    this.#wheel.push(ticksOfNs(up.startNs + up.lagNs), this.#doneKind, node, to, what, 0)
  }
}
