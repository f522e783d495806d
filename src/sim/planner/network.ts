/**
 * The way of a message: sender's uplink → (border out → border in) → receiver's downlink, each stage entered by an event
 * of its own, at the time at which the first byte is there.
 */
import { draw, exponential, happens, PURPOSE } from './draw.ts'
import { FifoLinks } from './fifo.ts'
import { type Fleet, ORIGIN } from './fleet.ts'
import type { Question } from './question.ts'
import { SAME_REGION_RTT_MS, SAME_ZONE_RTT_MS } from './regions.ts'
import { nsOfTicks, ticksOfNs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

/** Kinds of events that are the network's own; those of a model begin at `FIRST_OF_MODEL`. */
const BORDER_OUT = 1
const BORDER_IN = 2
const DOWNLINK = 3
const DELIVERED = 4
export const FIRST_OF_MODEL = 8

const PACKET_BYTES = 1_460
const NS_PER_MS = 1e6
const NS_PER_US = 1e3
/** Mean of the exponential part of a delay, as a share of it. */
const JITTER = 0.1
/** RFC 6298's usual floor of a retransmission timer, in practice; never below two round trips. */
const RETRANSMIT_NS = 200 * NS_PER_MS

export interface Traffic {
  /** Payload bytes that each node has sent and received whole, by node. */
  readonly sent: Float64Array
  readonly received: Float64Array
  /** Control bytes of the whole fleet. */
  control: number
  /** Payload bytes into each region from outside. */
  readonly entered: Float64Array
  /** Payload bytes out of home into other regions. */
  leftHome: number
}

export class Network {
  readonly traffic: Traffic
  readonly up: FifoLinks
  /** Size of a message by its number. */
  readonly bytesOf: (what: number) => number
  readonly #down: FifoLinks
  readonly #out: FifoLinks
  readonly #in: FifoLinks
  readonly #fleet: Fleet
  readonly #wheel: Wheel
  readonly #seed: number
  readonly #loss: number
  readonly #deliver: (to: number, from: number, what: number) => void
  /** One way between regions; inside one it hangs on the zones. */
  readonly #oneWayNs: Float64Array
  readonly #sameZoneNs = (SAME_ZONE_RTT_MS * NS_PER_MS) / 2
  readonly #sameRegionNs = (SAME_REGION_RTT_MS * NS_PER_MS) / 2

  /**
   * @param bytesOf size of a message by the number that the model gave it
   * @param deliver called once the last byte of a message is there
   */
  constructor(
    fleet: Fleet,
    question: Question,
    wheel: Wheel,
    bytesOf: (what: number) => number,
    deliver: (to: number, from: number, what: number) => void,
  ) {
    this.#fleet = fleet
    this.#wheel = wheel
    this.#seed = question.seed
    this.#loss = question.loss
    this.bytesOf = bytesOf
    this.#deliver = deliver
    this.up = new FifoLinks(fleet.upNsPerByte)
    this.#down = new FifoLinks(fleet.downNsPerByte)
    const border = new Float64Array(fleet.regions).fill(8e9 / question.borderBitsPerSecond)
    this.#out = new FifoLinks(border)
    this.#in = new FifoLinks(border)
    this.#oneWayNs = Float64Array.from(question.regions.rttMs.flat(), (ms) => (ms * NS_PER_MS) / 2)
    this.traffic = {
      sent: new Float64Array(fleet.size),
      received: new Float64Array(fleet.size),
      control: 0,
      entered: new Float64Array(fleet.regions),
      leftHome: 0,
    }
  }

  /** For the result of a run. */
  get overBorders(): { readonly enteredBytes: readonly number[]; readonly leftHomeBytes: number } {
    return { enteredBytes: [...this.traffic.entered.subarray(1)], leftHomeBytes: this.traffic.leftHome }
  }

  get nowNs(): number {
    return nsOfTicks(this.#wheel.tick)
  }

  /** Queues a payload at the sender's uplink. */
  send(from: number, to: number, what: number): void {
    const bytes = this.bytesOf(what)
    this.up.pass(from, this.nowNs, 0, bytes)
    this.leave(from, to, what, this.up.startNs, this.up.lagNs)
  }

  /** A payload begins to leave a node at this time; its last byte follows after the lag. */
  leave(from: number, to: number, what: number, startNs: number, lagNs: number): void {
    this.traffic.sent[from] = (this.traffic.sent[from] as number) + this.bytesOf(what)
    const lagUs = Math.round(lagNs / NS_PER_US)
    if (this.#fleet.regionOf[from] !== this.#fleet.regionOf[to])
      return this.#wheel.push(ticksOfNs(startNs), BORDER_OUT, to, from, what, lagUs)
    const delayNs = this.#delayNs(from, to, what, this.bytesOf(what))
    this.#wheel.push(ticksOfNs(startNs + delayNs), DOWNLINK, to, from, what, lagUs)
  }

  /** A short message beside the payloads: it waits behind none of them, its bytes count. */
  control(from: number, to: number, bytes: number, kind: number, about: number, more: number): void {
    this.traffic.control += bytes
    const delayNs = this.#delayNs(from, to, (kind << 16) ^ about, bytes)
    this.#wheel.push(ticksOfNs(this.nowNs + delayNs), kind, to, from, about, more)
  }

  /** Takes the wheel's event if it is one of the network's. */
  handles(): boolean {
    const { kind, a: to, b: from, c: what, d: lagUs } = this.#wheel
    switch (kind) {
      case BORDER_OUT:
        this.#crossBorder(to, from, what, lagUs)
        return true
      case BORDER_IN:
        this.#enter(to, from, what, lagUs)
        return true
      case DOWNLINK:
        this.#arrive(to, from, what, lagUs)
        return true
      case DELIVERED:
        this.#receive(to, from, what)
        return true
      default:
        return false
    }
  }

  /** Round trip without jitter, ms. */
  rttMs(a: number, b: number): number {
    return (2 * this.#baseNs(a, b)) / NS_PER_MS
  }

  /** And with it, on average. */
  usualRttMs(a: number, b: number): number {
    return this.rttMs(a, b) * (1 + JITTER)
  }

  #crossBorder(to: number, from: number, what: number, lagUs: number): void {
    const bytes = this.bytesOf(what)
    const region = this.#fleet.regionOf[from] as number
    if (region === this.#fleet.regionOf[ORIGIN]) this.traffic.leftHome += bytes
    const into = this.#fleet.regionOf[to] as number
    this.traffic.entered[into] = (this.traffic.entered[into] as number) + bytes
    this.#out.pass(region, this.nowNs, lagUs * NS_PER_US, bytes)
    const atNs = this.#out.startNs + this.#delayNs(from, to, what, bytes)
    this.#wheel.push(ticksOfNs(atNs), BORDER_IN, to, from, what, Math.round(this.#out.lagNs / NS_PER_US))
  }

  #enter(to: number, from: number, what: number, lagUs: number): void {
    const region = this.#fleet.regionOf[to] as number
    const bytes = this.bytesOf(what)
    this.#in.pass(region, this.nowNs, lagUs * NS_PER_US, bytes)
    const atTick = ticksOfNs(this.#in.startNs)
    const lag = Math.round(this.#in.lagNs / NS_PER_US)
    if (atTick > this.#wheel.tick) this.#wheel.push(atTick, DOWNLINK, to, from, what, lag)
    else this.#arrive(to, from, what, lag)
  }

  #arrive(to: number, from: number, what: number, lagUs: number): void {
    this.#down.pass(to, this.nowNs, lagUs * NS_PER_US, this.bytesOf(what))
    const atTick = ticksOfNs(this.#down.startNs + this.#down.lagNs)
    if (atTick > this.#wheel.tick) this.#wheel.push(atTick, DELIVERED, to, from, what, 0)
    else this.#receive(to, from, what)
  }

  #receive(to: number, from: number, what: number): void {
    this.traffic.received[to] = (this.traffic.received[to] as number) + this.bytesOf(what)
    this.#deliver(to, from, what)
  }

  #baseNs(from: number, to: number): number {
    const a = this.#fleet.regionOf[from] as number
    const b = this.#fleet.regionOf[to] as number
    if (a !== b) return this.#oneWayNs[a * this.#fleet.regions + b] as number
    return this.#fleet.zoneOf[from] === this.#fleet.zoneOf[to] ? this.#sameZoneNs : this.#sameRegionNs
  }

  #delayNs(from: number, to: number, what: number, bytes: number): number {
    const baseNs = this.#baseNs(from, to)
    const stream = this.#seed + Math.imul(to, 0x9e3779b1)
    const n = Math.imul(what, 0x2545f491) ^ this.#wheel.tick
    const jitterNs = exponential(draw(stream, from, PURPOSE.latency, n), baseNs * JITTER)
    if (this.#loss === 0) return baseNs + jitterNs
    const packets = Math.ceil(bytes / PACKET_BYTES)
    if (!happens(draw(stream, from, PURPOSE.loss, n), this.#loss * packets)) return baseNs + jitterNs
    return baseNs + jitterNs + Math.max(RETRANSMIT_NS, 4 * baseNs)
  }
}
