/**
 * Nodes in the hands of an attacker: admitted, with certificates that are good, and with an honest core behind a
 * transport that is not. They are as well linked as others, for nobody sees what they are from outside.
 */

import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeReleaseGossip } from '../codec/gossip.ts'
import { decodeHeader } from '../codec/header.ts'
import { LIMITS } from '../limits.ts'
import type { PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'
import type { EffectOf, TransportEffect, TransportEvent, TransportPort } from '../runtime/ports.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { SimTransport } from './transport.ts'

/**
 * `drop`: passes nothing on, and leaves whoever asks for a block waiting. `lie`: says at once that it holds everything,
 * and has nothing when asked. `corrupt`: a bit is wrong in all it passes on. `flood`: talks without end.
 */
export type HostileKind = 'drop' | 'lie' | 'corrupt' | 'flood'

export const HOSTILE_KINDS: readonly HostileKind[] = ['drop', 'lie', 'corrupt', 'flood']

/** Of one flooder to each of its neighbours: gossip of random bytes, and as many requests. */
const FLOOD_EVERY_MS = 100
const FLOOD_BYTES = 400

/** Anew for each neighbour it would have to be encoded anew. */
const BEACONS = { protocol: 'sync', message: { type: 'beacons', have: [] } } as const

/** @param port what an honest node would have */
export function hostileTransport(
  kind: HostileKind,
  port: SimTransport,
  time: VirtualTime,
  random: Random,
): TransportPort {
  switch (kind) {
    case 'drop':
      return new Dropper(port, random)
    case 'lie':
      return new Liar(port, random)
    case 'corrupt':
      return new Corrupter(port, random)
    case 'flood':
      return new Flooder(port, random, time)
  }
}

/** As honest as the port behind it, until a method says otherwise. */
class Hostile implements TransportPort {
  protected readonly port: SimTransport
  protected readonly random: Random
  protected readonly admitted = new Set<PeerId>()

  constructor(port: SimTransport, random: Random) {
    this.port = port
    this.random = random
  }

  start(sink: (event: TransportEvent) => void): Promise<void> {
    return this.port.start((event) => {
      if (event.kind === 'disconnected') this.admitted.delete(event.peer)
      this.heard(event)
      sink(event)
    })
  }

  perform(effect: TransportEffect): void {
    if (effect.kind === 'admit') this.admitted.add(effect.peer)
    if (effect.kind === 'verdict' && effect.verdict === 'accept') return this.relay(effect)
    if (effect.kind === 'reply') return this.answer(effect)
    this.port.perform(effect)
  }

  replyBlock(id: number, bytes: Uint8Array | undefined): undefined {
    this.port.replyBlock(id, bytes)
  }

  stop(): Promise<void> {
    return this.port.stop()
  }

  protected heard(_event: TransportEvent): void {}

  protected relay(effect: EffectOf<'verdict'>): void {
    this.port.perform(effect)
  }

  protected answer(effect: EffectOf<'reply'>): void {
    this.port.perform(effect)
  }

  /** A question nobody waits for the answer of: its id is far from those of the core. */
  protected ask(peer: PeerId, request: AnyRequest): void {
    this.port.shout(2 ** 40 + Math.floor(this.random() * 2 ** 32), peer, request)
  }
}

class Dropper extends Hostile {
  protected override relay(effect: EffectOf<'verdict'>): void {
    this.port.perform({ ...effect, verdict: 'ignore' })
  }

  override replyBlock(): undefined {}

  protected override answer(effect: EffectOf<'reply'>): void {
    this.port.perform({ ...effect, reply: withoutReleases(effect.reply) })
  }
}

class Liar extends Hostile {
  readonly #gossip = new Map<string, Uint8Array>()

  protected override heard(event: TransportEvent): void {
    if (event.kind === 'gossip' && event.topic === 'releases') this.#gossip.set(event.id, event.bytes)
  }

  /** Says that it has all of a release before anybody can. */
  protected override relay(effect: EffectOf<'verdict'>): void {
    this.port.perform(effect)
    const bytes = this.#gossip.get(effect.id)
    this.#gossip.delete(effect.id)
    if (bytes === undefined) return
    const { payload } = decodeEnvelope(
      decodeReleaseGossip(bytes, LIMITS).envelope,
      LIMITS.maxEnvelopeBytes,
      LIMITS,
    )
    const { channel } = decodeHeader(payload, LIMITS).header
    const release = sha256(payload) as string as ReleaseId
    for (const peer of [...this.admitted].sort())
      this.ask(peer, { protocol: 'blocks', message: { type: 'holds', release, channel, whole: true } })
  }

  override replyBlock(id: number): undefined {
    this.port.replyBlock(id, undefined)
  }
}

class Corrupter extends Hostile {
  readonly #gossip = new Map<string, EffectOf<'publish'>>()

  protected override heard(event: TransportEvent): void {
    if (event.kind !== 'gossip') return
    const { topic, bytes } = event
    this.#gossip.set(event.id, { kind: 'publish', topic, bytes })
  }

  protected override relay(effect: EffectOf<'verdict'>): void {
    const said = this.#gossip.get(effect.id)
    this.#gossip.delete(effect.id)
    this.port.perform({ ...effect, verdict: 'ignore' })
    if (said !== undefined) this.port.perform({ ...said, bytes: this.#wrong(said.bytes) })
  }

  override replyBlock(id: number, bytes: Uint8Array | undefined): undefined {
    this.port.replyBlock(id, bytes && this.#wrong(bytes))
  }

  protected override answer(effect: EffectOf<'reply'>): void {
    const { reply } = effect
    if (reply.protocol !== 'sync' || reply.message.type !== 'envelopes') return this.port.perform(effect)
    const envelopes = reply.message.envelopes.map((bytes) => this.#wrong(bytes))
    this.port.perform({ ...effect, reply: { protocol: 'sync', message: { ...reply.message, envelopes } } })
  }

  #wrong(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes)
    const at = Math.floor(this.random() * copy.length)
    copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(this.random() * 8))
    return copy
  }
}

class Flooder extends Hostile {
  readonly #time: VirtualTime
  #isUp = true

  constructor(port: SimTransport, random: Random, time: VirtualTime) {
    super(port, random)
    this.#time = time
  }

  override start(sink: (event: TransportEvent) => void): Promise<void> {
    this.#time.after(FLOOD_EVERY_MS, () => this.#flood())
    return super.start(sink)
  }

  override stop(): Promise<void> {
    this.#isUp = false
    return super.stop()
  }

  #flood(): void {
    if (!this.#isUp || this.port.sink === undefined) return
    const bytes = Uint8Array.from({ length: FLOOD_BYTES }, () => Math.floor(this.random() * 256))
    const topic = this.random() < 0.5 ? 'releases' : 'control'
    this.port.perform({ kind: 'publish', topic, bytes })
    const peers = { protocol: 'sync', message: { type: 'peers', records: [bytes] } } as const
    for (const peer of [...this.admitted].sort()) {
      this.ask(peer, BEACONS)
      this.ask(peer, peers)
    }
    this.#time.after(FLOOD_EVERY_MS, () => this.#flood())
  }
}

/** What a comparison would have brought. */
export function withoutReleases(reply: AnyReply): AnyReply {
  if (reply.protocol !== 'sync') return reply
  const { message } = reply
  if (message.type === 'envelopes') return { protocol: 'sync', message: { ...message, envelopes: [] } }
  return reply
}

/** Nor what would tell of it. */
export function withoutNews(reply: AnyReply): AnyReply {
  if (reply.protocol === 'sync' && reply.message.type === 'beacons')
    return { protocol: 'sync', message: { type: 'beacons', beacons: [] } }
  if (reply.protocol === 'blocks' && reply.message.type === 'block')
    return { protocol: 'blocks', message: { type: 'gone' } }
  if (reply.protocol === 'bridge' && reply.message.type === 'item')
    return { protocol: 'bridge', message: { type: 'gone' } }
  return withoutReleases(reply)
}
