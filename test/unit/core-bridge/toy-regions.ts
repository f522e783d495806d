/**
 * Bridge stages alone, eight gateways a region, on virtual time: what they ask travels with the delay of its link, and
 * what one publishes is heard by its whole region a few milliseconds later. Signatures, sync and admission are left out.
 */
import { sha256 } from '../../../src/codec/digest.ts'
import { encodeControlGossip } from '../../../src/codec/gossip.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../../src/model/messages.ts'
import { VirtualTime } from '../../../src/sim/time.ts'
import { Bench, peer } from '../core-peers/fakes.ts'

/** A beacon: the bridge knows it by the digest of its bytes, so that nothing has to be signed. */
export const messageOf = (text: string): Uint8Array =>
  encodeControlGossip({ kind: 'beacon', envelope: new TextEncoder().encode(text) })

export interface Faults {
  /** Chance in [0, 1] that a gateway takes one of a region's gateways for dead when it looks. */
  readonly wrong: number
  readonly random: () => number
}

export class Gateway {
  readonly id: PeerId
  readonly region: string
  readonly bench: Bench
  readonly bridge: Bridge
  silent = false
  has = false
  payloads = 0
  #cancelWake: () => void = () => {}

  constructor(id: string, region: string) {
    this.id = peer(id)
    this.region = region
    this.bench = new Bench({ self: this.id, region })
    this.bridge = createBridge(this.bench.config)
  }

  /** Wishes to be woken end in `tick`. */
  wake(time: VirtualTime, tick: () => void): void {
    if (this.bench.wakeMonoMs === Number.POSITIVE_INFINITY) return
    this.#cancelWake()
    this.#cancelWake = time.after(this.bench.wakeMonoMs - this.bench.now.monoMs, () => {
      this.bench.wakeMonoMs = Number.POSITIVE_INFINITY
      tick()
    })
  }
}

const NEAR_MS = 1
const FAR_MS = 50

export class ToyRegions {
  readonly time = new VirtualTime()
  readonly gateways: Gateway[] = []
  readonly #faults: Faults
  readonly #asked = new Map<string, () => void>()

  constructor(regions: readonly string[], faults: Faults, perRegion = 8) {
    this.#faults = faults
    for (const region of regions)
      for (let at = 0; at < perRegion; at += 1) this.gateways.push(new Gateway(`${region}-${at}`, region))
    for (const one of this.gateways) this.#introduce(one, regions)
  }

  of(region: string): Gateway[] {
    return this.gateways.filter((one) => one.region === region)
  }

  entered(region: string): number {
    return this.of(region).reduce((sum, { payloads }) => sum + payloads, 0)
  }

  /** The home region's topic carries it. */
  say(region: string, bytes: Uint8Array): void {
    this.#spread(region, bytes)
  }

  run(ms: number): void {
    const untilMs = this.time.nowMs + ms
    while (this.time.step(untilMs));
  }

  #introduce(one: Gateway, regions: readonly string[]): void {
    const { journey } = one.bench
    journey.region = one.region
    for (const region of regions) {
      const there = this.of(region).map(({ id }) => id)
      for (const id of there) {
        journey.standing.add(id)
        if (id !== one.id) one.bench.link(id, {}, { region })
      }
      journey.gatewaysOf.set(region, there)
    }
    const { random, wrong } = this.#faults
    journey.gateways = (region) =>
      (journey.gatewaysOf.get(region) ?? []).filter((id) => id === one.id || random() >= wrong)
    journey.onHear = (_topic, bytes) => {
      const known = one.has
      one.has = true
      return { verdict: known ? 'ignore' : 'accept', id: sha256(bytes), known }
    }
  }

  #spread(region: string, bytes: Uint8Array): void {
    for (const one of this.of(region))
      this.time.after(NEAR_MS + this.#faults.random() * 6, () => {
        if (one.has) return
        one.has = true
        this.#step(one, (step, journey) =>
          one.bridge.onSaid(step, journey, { topic: 'control', bytes, how: 'relayed' }),
        )
      })
  }

  #step(one: Gateway, call: Parameters<Bench['run']>[0]): void {
    if (one.silent) return
    one.bench.now = { monoMs: this.time.nowMs, wallMs: this.time.nowMs }
    for (const effect of one.bench.run(call)) this.#perform(one, effect)
    one.wake(this.time, () => this.#step(one, (step, journey) => one.bridge.onTick(step, journey)))
  }

  #perform(one: Gateway, effect: Effect): void {
    if (effect.kind === 'publish') this.#spread(one.region, effect.bytes)
    else if (effect.kind === 'request')
      this.#ask(one, effect.id, effect.peer, effect.request, effect.timeoutMs)
    else if (effect.kind === 'reply') this.#reply(one, effect.id, effect.reply)
  }

  #delay(a: Gateway, b: Gateway): number {
    return (a.region === b.region ? NEAR_MS : FAR_MS) * (1 + this.#faults.random() / 5)
  }

  #ask(from: Gateway, id: number, to: PeerId, request: AnyRequest, timeoutMs: number): void {
    const other = this.gateways.find((one) => one.id === to)
    if (other === undefined) return
    const cancel = this.time.after(timeoutMs, () =>
      this.#step(from, (step, journey) => from.bridge.onRequestFailed(step, journey, id, 'NET_TIMEOUT')),
    )
    this.#asked.set(`${from.id} ${to} ${id}`, cancel)
    this.time.after(this.#delay(from, other), () => {
      if (other.silent) return
      if (request.protocol === 'bridge' && request.message.type === 'announce' && request.message.bytes)
        if (from.region !== other.region) other.payloads += 1
      this.#step(other, (step, journey) =>
        other.bridge.onRequest(step, journey, {
          kind: 'request',
          id: this.#number(from, id),
          peer: from.id,
          request,
        }),
      )
    })
  }

  readonly #numbers = new Map<number, { readonly from: Gateway; readonly id: number }>()

  #number(from: Gateway, id: number): number {
    const number = this.#numbers.size + 1
    this.#numbers.set(number, { from, id })
    return number
  }

  #reply(by: Gateway, number: number, reply: AnyReply): void {
    const asked = this.#numbers.get(number)
    if (asked === undefined) return
    const { from, id } = asked
    this.time.after(this.#delay(by, from), () => {
      this.#asked.get(`${from.id} ${by.id} ${id}`)?.()
      if (reply.protocol === 'bridge' && reply.message.type === 'item' && from.region !== by.region)
        from.payloads += 1
      this.#step(from, (step, journey) => from.bridge.onReply(step, journey, id, reply))
    })
  }
}

export const idOf = (bytes: Uint8Array): Digest => sha256(bytes)
