/**
 * A small release in the abstract model: gossip inside each region, one payload over each border by announce and claim
 * (docs/protocol.md). Typed arrays hold what a node knows; a node is nothing but its number.
 */

import { LIMITS } from '../../limits.ts'
import { GOSSIP } from '../gossip.ts'
import { Bridge } from './bridge.ts'
import { draw, exponential, happens, PURPOSE } from './draw.ts'
import { buildFleet, CONNECTIONS, type Fleet, MESH_DEGREE, ORIGIN, PLACES } from './fleet.ts'
import { FIRST_OF_MODEL, Network } from './network.ts'
import { HOST, type Question } from './question.ts'
import { RollingHash } from './rolling-hash.ts'
import { perNode, type RunResult } from './run-result.ts'
import { SharedCores } from './shared-cores.ts'
import { TICKS_PER_MS, ticksOfMs } from './ticks.ts'
import { Wheel } from './wheel.ts'

const VERIFIED = FIRST_OF_MODEL
const DONT_WANT = FIRST_OF_MODEL + 1
const HEARTBEAT = FIRST_OF_MODEL + 2
const I_HAVE = FIRST_OF_MODEL + 3
const I_WANT = FIRST_OF_MODEL + 4
/** The bridge's kinds begin here. */
const FIRST_OF_BRIDGE = FIRST_OF_MODEL + 5

const PAYLOAD = 0
/** gossipsub's control messages with a 32-byte message id, its framing and, for IHAVE, the topic. */
export const DONT_WANT_BYTES = 44
const I_HAVE_BYTES = 90
const I_WANT_BYTES = 44
/** js-libp2p-gossipsub says IDONTWANT from this size on. */
export const DONT_WANT_FROM_BYTES = 512
/** A message is told of in one heartbeat, to some peers outside the mesh. */
const HEARTBEAT_TICKS = ticksOfMs(GOSSIP.heartbeatMs)
const LAZY_PEERS = GOSSIP.lazyDegree
/** Envelope of a release with its framing: header, one or two signatures. */
export const ENVELOPE_BYTES = 600
/** Whole gossip message with content attached: one TCP flight. */
export const MAX_SMALL_BYTES = LIMITS.maxInlineBytes - ENVELOPE_BYTES
/** Nothing is told of any more after this long; what lacks the release then is counted as never. */
const HORIZON_TICKS = ticksOfMs(60_000)

const NEVER = -1

export class SmallRelease {
  readonly #question: Question
  readonly #fleet: Fleet
  readonly #wheel: Wheel
  readonly #network: Network
  readonly #bridge: Bridge
  readonly #hash = new RollingHash()
  /** Of the machine that all nodes share, if they do. */
  readonly cores: SharedCores | undefined
  readonly #messageBytes: number
  readonly #seenAt: Int32Array
  /** By node, −1 before. */
  readonly verifiedAt: Int32Array
  readonly #deadAt: Int32Array
  /** By place of `neighbours`: that neighbour is known to have it. */
  readonly #known: Uint8Array
  /** By node: how often it received the message while it lived. */
  readonly #copies: Uint16Array
  #missing: number

  constructor(question: Question) {
    this.#question = question
    this.#fleet = buildFleet(question)
    const { size } = this.#fleet
    const { machine } = question
    this.cores = machine && new SharedCores(machine.cores, machine.messageMs)
    this.#messageBytes = question.bytes + ENVELOPE_BYTES
    this.#wheel = new Wheel(size)
    this.#network = new Network(
      this.#fleet,
      question,
      this.#wheel,
      () => this.#messageBytes,
      (to, from) => this.#see(to, from),
    )
    this.#seenAt = new Int32Array(size).fill(NEVER)
    this.verifiedAt = new Int32Array(size).fill(NEVER)
    this.#known = new Uint8Array(size * MESH_DEGREE)
    this.#copies = new Uint16Array(size)
    this.#bridge = new Bridge(this.#fleet, question, this.#wheel, this.#network, FIRST_OF_BRIDGE, {
      has: (node) => this.verifiedAt[node] !== NEVER,
      seen: (node) => this.#seenAt[node] !== NEVER,
      push: (from, to) => this.#network.send(from, to, PAYLOAD),
    })
    this.#deadAt = this.#deaths()
    this.#missing = 0
    for (let node = 1; node < size; node++) if (this.#deadAt[node] !== 0) this.#missing++
  }

  run(onProgress: (done: number) => void): RunResult {
    this.#accept()
    const wheel = this.#wheel
    let told = 0
    while (this.#missing > 0 && wheel.next() && wheel.tick < HORIZON_TICKS) {
      this.#hash.add(wheel.tick, wheel.a, wheel.kind, wheel.b)
      if (!this.#network.handles() && (this.#deadAt[wheel.a] as number) > wheel.tick) this.#handle()
      if ((++told & 0x3ffff) === 0) onProgress(1 - this.#missing / this.#fleet.size)
    }
    return this.#result()
  }

  /** The origin has verified, ordered and stored it: time begins. */
  #accept(): void {
    this.#seenAt[ORIGIN] = 0
    this.verifiedAt[ORIGIN] = 0
    for (const peer of this.#fleet.originMesh) this.#network.send(ORIGIN, peer, PAYLOAD)
    this.#bridge.onAccepted()
    if (this.#question.failures.originAfterPayloads !== undefined) this.#deadAt[ORIGIN] = 1
    this.#wheel.push(this.#phase(ORIGIN), HEARTBEAT, ORIGIN, 0, 0, 0)
  }

  #handle(): void {
    const { kind, a: node, b: from } = this.#wheel
    switch (kind) {
      case VERIFIED:
        return this.#verify(node, this.#wheel.c)
      case DONT_WANT:
        return this.#know(node, from)
      case HEARTBEAT:
        return this.#heartbeat(node)
      case I_HAVE:
        if (this.#seenAt[node] === NEVER) this.#network.control(node, from, I_WANT_BYTES, I_WANT, 0, 0)
        return
      case I_WANT:
        return this.#network.send(node, from, PAYLOAD)
      default:
        return this.#bridge.handle()
    }
  }

  /** The last byte of a copy is there. The neighbours are told before it is looked into. */
  #see(node: number, from: number): void {
    const { tick } = this.#wheel
    if ((this.#deadAt[node] as number) <= tick) return
    this.#copies[node] = (this.#copies[node] as number) + 1
    this.#know(node, from)
    if (this.#seenAt[node] !== NEVER) return
    this.#seenAt[node] = tick
    if (this.#messageBytes >= DONT_WANT_FROM_BYTES) this.#sayDontWant(node, from)
    const drawn = draw(this.#question.seed, node, PURPOSE.processing, 0)
    const { hopMs, hopSpreadMs } = this.#question.host ?? HOST
    // Signature, order and the relay's own work at each hop.
    const busy = ticksOfMs(hopMs) + exponential(drawn, ticksOfMs(hopSpreadMs))
    this.#wheel.push(this.cores?.work(tick) ?? tick + busy, VERIFIED, node, 0, from, 0)
  }

  #sayDontWant(node: number, from: number): void {
    for (let at = 0; at < MESH_DEGREE; at++) {
      const peer = this.#fleet.neighbours[node * PLACES + at] as number
      if (peer === -1 || peer === from) continue
      // Whoever has forwarded it learns nothing new: the bytes count, the event is spared.
      if (this.verifiedAt[peer] !== NEVER) this.#network.traffic.control += DONT_WANT_BYTES
      else this.#network.control(node, peer, DONT_WANT_BYTES, DONT_WANT, 0, 0)
    }
  }

  #know(node: number, peer: number): void {
    for (let at = 0; at < MESH_DEGREE; at++) {
      if (this.#fleet.neighbours[node * PLACES + at] !== peer) continue
      this.#known[node * MESH_DEGREE + at] = 1
      return
    }
  }

  #verify(node: number, from: number): void {
    const { tick } = this.#wheel
    this.verifiedAt[node] = tick
    this.#missing--
    for (let at = 0; at < MESH_DEGREE; at++) {
      const peer = this.#fleet.neighbours[node * PLACES + at] as number
      if (peer !== -1 && this.#known[node * MESH_DEGREE + at] === 0) this.#network.send(node, peer, PAYLOAD)
    }
    this.#bridge.onVerified(node, from)
    const wait = (this.#phase(node) - (tick % HEARTBEAT_TICKS) + HEARTBEAT_TICKS) % HEARTBEAT_TICKS
    this.#wheel.push(tick + wait, HEARTBEAT, node, 0, 0, 0)
  }

  #phase(node: number): number {
    return draw(this.#question.seed, node, PURPOSE.lazy, -1) % HEARTBEAT_TICKS
  }

  #heartbeat(node: number): void {
    for (let n = 0; n < LAZY_PEERS; n++) {
      const drawn = draw(this.#question.seed, node, PURPOSE.lazy, n)
      const at = MESH_DEGREE + (drawn % (CONNECTIONS - MESH_DEGREE))
      const peer = this.#fleet.neighbours[node * PLACES + at] as number
      // Its bytes are in the bill that `#result` makes out for everybody.
      if (peer !== -1 && this.#seenAt[peer] === NEVER) this.#network.control(node, peer, 0, I_HAVE, 0, 0)
    }
  }

  /** When each node dies: 0 is from the start. */
  #deaths(): Int32Array {
    const { failures, seed, regions } = this.#question
    const deadAt = new Int32Array(this.#fleet.size).fill(0x7fffffff)
    if (failures.gateway) for (const gateway of this.#bridge.ofRank(0)) deadAt[gateway] = 0
    if (failures.churn === 0) return deadAt
    const span = ticksOfMs(Math.max(...regions.rttMs.flat()) / 2 + 80)
    for (let node = 1; node < this.#fleet.size; node++) {
      if (!happens(draw(seed, node, PURPOSE.death, 0), failures.churn)) continue
      deadAt[node] = Math.min(deadAt[node] as number, draw(seed, node, PURPOSE.death, 1) % span)
    }
    return deadAt
  }

  #result(): RunResult {
    const { size } = this.#fleet
    const { traffic } = this.#network
    const times: number[] = []
    let copies = 0
    let unfinished = 0
    for (let node = 1; node < size; node++) {
      const at = this.verifiedAt[node] as number
      if (at === NEVER && (this.#deadAt[node] as number) > this.#wheel.tick) unfinished++
      if (at === NEVER) continue
      times.push(at / TICKS_PER_MS)
      copies += this.#copies[node] as number
    }
    // What gossip still says of it once everybody has it changes nothing but the bill.
    const told = LAZY_PEERS * I_HAVE_BYTES
    return {
      model: 'abstract',
      timesMs: Float64Array.from(times).sort(),
      ofLine: undefined,
      unfinished,
      blockBytes: undefined,
      payloadBytes: this.#messageBytes,
      originBytes: traffic.sent[ORIGIN] as number,
      ...this.#network.overBorders,
      receivedBytesPerNode: perNode(copies * this.#messageBytes, times.length),
      controlBytesPerNode: traffic.control / (size - 1) + told,
      events: this.#wheel.count,
      hash: this.#hash.hex,
    }
  }
}
