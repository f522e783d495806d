import { encodeReply, encodeRequest, isLast, isNotice } from '../codec/messages.ts'
import type { RequestId } from '../core/events.ts'
import type { PeerId } from '../model/ids.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'
import type { TransportEffect, TransportEvent, TransportPort } from '../runtime/ports.ts'
import { type Frame, SimGossip, type Topic } from './gossip.ts'
import type { SimNetwork } from './network.ts'

interface Waiting {
  readonly asker: PeerId
  readonly answerer: PeerId
  readonly id: RequestId
  readonly request: AnyRequest
  cancel: () => void
}

/** One node's end of the network. */
export class SimTransport implements TransportPort {
  sink: ((event: TransportEvent) => void) | undefined
  readonly #network: SimNetwork
  readonly #self: PeerId
  readonly #gossip: SimGossip
  readonly #asked = new Map<RequestId, Waiting>()
  readonly #inbound = new Map<
    RequestId,
    { readonly asker: PeerId; readonly theirs: RequestId; readonly request: AnyRequest }
  >()
  #nextInbound = 1

  constructor(network: SimNetwork, self: PeerId, isSeed: boolean) {
    this.#network = network
    this.#self = self
    this.#gossip = new SimGossip({
      isSeed,
      ...network.gossipClock,
      isUp: () => network.isCurrent(self, this),
      send: (to, frame) => network.say(self, to, frame),
      hear: (event) => this.deliver(event),
    })
  }

  async start(sink: (event: TransportEvent) => void): Promise<void> {
    this.sink = sink
  }

  async stop(): Promise<void> {
    this.sink = undefined
  }

  deliver(event: TransportEvent): void {
    this.sink?.(event)
  }

  perform(effect: TransportEffect): void {
    switch (effect.kind) {
      case 'dial':
        return this.#network.dial(this.#self, effect.address)
      case 'hangUp':
        return this.#network.hangUp(this.#self, effect.peer)
      case 'admit':
        return this.#network.admit(this.#self, effect.peer, effect.region)
      case 'publish':
        return this.#gossip.publish(effect.topic, effect.bytes)
      case 'verdict':
        return this.#gossip.judge(effect)
      case 'request':
        return this.#ask(effect.id, effect.peer, effect.request, effect.timeoutMs)
      case 'reply':
        return this.#answer(effect.id, effect.reply)
      case 'rememberPeer':
      case 'forgetPeer':
        return
    }
  }

  /** Asks and does not wait: an answer comes to nobody. */
  shout(id: RequestId, peer: PeerId, request: AnyRequest): void {
    if (this.#network.isLinked(this.#self, peer)) this.#carry(id, peer, request)
  }

  replyBlock(id: RequestId, bytes: Uint8Array | undefined): undefined {
    this.#answer(id, {
      protocol: 'blocks',
      message: bytes === undefined ? { type: 'gone' } : { type: 'block', bytes },
    })
  }

  hear(topic: Topic, from: PeerId, bytes: Uint8Array): void {
    this.#gossip.hear(topic, from, bytes)
  }

  receiveGossip(from: PeerId, frame: Frame): void {
    this.#gossip.receive(from, frame)
  }

  meshPeers(topic: Topic): readonly PeerId[] {
    return this.#gossip.meshPeers(topic)
  }

  /** Both ends have admitted each other, and are of one region: another's has other topics. */
  joined(peer: PeerId, dialled: boolean): void {
    this.#gossip.joined(peer, dialled)
  }

  lost(peer: PeerId): void {
    this.#gossip.left(peer)
    for (const [id, inbound] of this.#inbound) if (inbound.asker === peer) this.#inbound.delete(id)
    // In this order: where connections are real, what was asked on one fails a moment after its end is told.
    const open = [...this.#asked.values()].filter(({ answerer }) => answerer === peer)
    this.deliver({ kind: 'disconnected', peer })
    for (const { id } of open) this.#fail(id, 'NET_UNREACHABLE')
  }

  /** A request has arrived, as bytes. */
  receive(from: PeerId, theirs: RequestId, protocol: AnyRequest['protocol'], bytes: Uint8Array): void {
    const id = this.#nextInbound++
    const request = this.#network.decoder.request(protocol, bytes)
    if (!isNotice(request)) this.#inbound.set(id, { asker: from, theirs, request })
    this.deliver({ kind: 'request', id, peer: from, request })
  }

  /** An answer has arrived, as bytes. */
  take(id: RequestId, bytes: Uint8Array): void {
    const waiting = this.#asked.get(id)
    if (waiting === undefined) return
    const reply = this.#network.decoder.reply(waiting.request.protocol, bytes)
    if (isLast(reply)) {
      waiting.cancel()
      this.#asked.delete(id)
    }
    this.deliver({ kind: 'reply', id, reply })
  }

  #ask(id: RequestId, peer: PeerId, request: AnyRequest, timeoutMs: number): void {
    const isSwallowed = this.#network.swallows(peer, request)
    if (isNotice(request)) return isSwallowed ? undefined : this.#carry(id, peer, request)
    const cancel = this.#network.timer(timeoutMs, () => this.#fail(id, 'NET_TIMEOUT'))
    this.#asked.set(id, { asker: this.#self, answerer: peer, id, request, cancel })
    if (isSwallowed)
      return this.#network.carry(peer, this.#self, (port) =>
        port.take(id, encodeReply(request.protocol as 'sync' | 'bridge', { type: 'noted' })),
      )
    // A link that is gone is found out at once, but never inside the step that asks.
    if (!this.#network.isLinked(this.#self, peer))
      this.#network.timer(0, () => this.#fail(id, 'NET_UNREACHABLE'))
    else this.#carry(id, peer, request)
  }

  #carry(id: RequestId, peer: PeerId, request: AnyRequest): void {
    const known = encoded.get(request)
    const bytes = known ?? encodeRequest(request.protocol, request.message as never)
    encoded.set(request, bytes)
    this.#network.carry(this.#self, peer, (port) => port.receive(this.#self, id, request.protocol, bytes))
  }

  #answer(id: RequestId, reply: AnyReply): void {
    const inbound = this.#inbound.get(id)
    if (inbound === undefined) return
    if (isLast(reply)) this.#inbound.delete(id)
    const { protocol, message } = this.#network.censored(inbound.asker, reply)
    const bytes = encodeReply(protocol, message as never)
    this.#network.carry(this.#self, inbound.asker, (port) => port.take(inbound.theirs, bytes))
  }

  #fail(id: RequestId, code: 'NET_TIMEOUT' | 'NET_UNREACHABLE'): void {
    const waiting = this.#asked.get(id)
    if (waiting === undefined) return
    waiting.cancel()
    this.#asked.delete(id)
    this.deliver({ kind: 'requestFailed', id, code })
  }
}

/** What one node says to many is encoded once: nobody changes it. */
const encoded = new WeakMap<AnyRequest, Uint8Array>()
