/**
 * The transport of simulated cores: links and requests over the planner's network (gossip is `core-gossip.ts`). Requests and
 * answers are encoded to know their size and decoded anew.
 */
import { decodeReply, decodeRequest, encodeReply, encodeRequest, isLast } from '../../codec/messages.ts'
import type { EffectOf } from '../../core/effects.ts'
import type { Event, RequestId } from '../../core/events.ts'
import { LIMITS } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { AnyReply } from '../../model/messages.ts'
import { addressOf } from '../network.ts'
import type { Network } from './network.ts'

/** What is longer queues behind payloads; what is shorter goes beside them. */
const PAYLOAD_BYTES = 512
/** Type, length and framing around a block. */
const BLOCK_FRAME_BYTES = 24

interface Letter {
  readonly bytes: number
  readonly arrive: (to: number, from: number) => void
}
interface Inbound {
  readonly asker: number
  readonly id: RequestId
}

export interface CarrierParts {
  readonly network: Network
  readonly peers: readonly PeerId[]
  /** Gives an event to a node, now. */
  readonly handle: (node: number, event: Event) => void
  /** After so many ms of virtual time. */
  readonly later: (ms: number, action: () => void) => void
  /** What it costs a node to look into a payload, ms. */
  readonly processingMs: (node: number) => number
  /** And to check a block. */
  readonly blockCheckMs: number
  /** A whole release leaves a node for another. */
  readonly onContent: (from: number, to: number, bytes: number) => void
  readonly onBlock: (from: number, to: number, bytes: number) => void
  /** Kind of wheel events that carry short letters. */
  readonly letterKind: number
}

export class Carrier {
  readonly links: readonly Set<number>[]
  readonly #parts: CarrierParts
  readonly #numbers = new Map<PeerId, number>()
  readonly #letters = new Map<number, Letter>()
  readonly #asked: readonly Map<RequestId, () => void>[]
  readonly #inbound = new Map<RequestId, Inbound>()
  #nextLetter = 0
  #nextInbound = 1_000_000

  constructor(parts: CarrierParts) {
    this.#parts = parts
    this.links = parts.peers.map(() => new Set<number>())
    this.#asked = parts.peers.map(() => new Map())
    for (const [at, peer] of parts.peers.entries()) this.#numbers.set(peer, at)
  }

  numberOf(peer: PeerId): number {
    return this.#numbers.get(peer) ?? -1
  }

  bytesOf(letter: number): number {
    return this.#letters.get(letter)?.bytes ?? 0
  }

  /** @param big queues at the links; the others are control messages */
  post(
    from: number,
    to: number,
    bytes: number,
    arrive: (to: number, from: number) => void,
    big: boolean,
  ): void {
    const letter = this.#nextLetter++
    this.#letters.set(letter, { bytes, arrive })
    if (big) this.#parts.network.send(from, to, letter)
    else this.#parts.network.control(from, to, bytes, this.#parts.letterKind, letter, 0)
  }

  open(letter: number, to: number, from: number): void {
    const found = this.#letters.get(letter)
    this.#letters.delete(letter)
    found?.arrive(to, from)
  }

  link(a: number, b: number): void {
    if (a === b || this.links[a]?.has(b) === true) return
    this.links[a]?.add(b)
    this.links[b]?.add(a)
    this.#connected(a, b, 'outbound')
    this.#connected(b, a, 'inbound')
  }

  dial(from: number, peer: PeerId): void {
    const to = this.numberOf(peer)
    if (to === -1) return
    // TCP, then the handshake: a round trip and a half.
    this.#parts.later(1.5 * this.#parts.network.rttMs(from, to), () => this.link(from, to))
  }

  hangUp(from: number, peer: PeerId): void {
    const to = this.numberOf(peer)
    if (this.links[from]?.delete(to) !== true) return
    this.links[to]?.delete(from)
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const)
      this.#parts.later(1, () =>
        this.#parts.handle(one, { kind: 'disconnected', peer: this.#parts.peers[other] as PeerId }),
      )
  }

  ask(from: number, { id, peer, request, timeoutMs }: EffectOf<'request'>): void {
    const to = this.numberOf(peer)
    const linked = this.links[from]?.has(to) === true
    const asked = this.#asked[from] as Map<RequestId, () => void>
    let open = true
    const close = (): void => {
      open = false
    }
    asked.set(id, close)
    this.#parts.later(linked ? timeoutMs : 0, () => {
      if (!open) return
      asked.delete(id)
      this.#parts.handle(from, {
        kind: 'requestFailed',
        id,
        code: linked ? 'NET_TIMEOUT' : 'NET_UNREACHABLE',
      })
    })
    if (!linked) return
    const bytes = encodeRequest(request.protocol, request.message as never)
    const big = bytes.length >= PAYLOAD_BYTES
    if (
      request.protocol === 'bridge' &&
      request.message.type === 'announce' &&
      request.message.bytes !== undefined
    )
      this.#parts.onContent(from, to, request.message.bytes.length)
    const arrive = (at: number): void => {
      const inbound = this.#nextInbound++
      this.#inbound.set(inbound, { asker: from, id })
      const read = decodeRequest(request.protocol, bytes, LIMITS)
      const asker = this.#parts.peers[from] as PeerId
      this.#looked(at, big, { kind: 'request', id: inbound, peer: asker, request: read })
    }
    this.post(from, to, bytes.length, arrive, big)
  }

  /**
   * A block: it goes as it is, encoded by nobody, since nothing but its bytes counts and hundreds of megabytes would be
   * copied.
   * @returns ms until its last byte has left the sender
   */
  serve(by: number, inboundId: RequestId, bytes: Uint8Array): number {
    const inbound = this.#inbound.get(inboundId)
    if (inbound === undefined) return 0
    this.#inbound.delete(inboundId)
    const { asker, id } = inbound
    const { network, blockCheckMs, later, handle, onBlock } = this.#parts
    onBlock(by, asker, bytes.length)
    const reply = { protocol: 'blocks', message: { type: 'block', bytes } } as const
    const arrive = (at: number): void => {
      const close = this.#asked[at]?.get(id)
      if (close === undefined) return
      close()
      this.#asked[at]?.delete(id)
      later(blockCheckMs, () => handle(at, { kind: 'reply', id, reply }))
    }
    this.post(by, asker, bytes.length + BLOCK_FRAME_BYTES, arrive, true)
    return (network.up.freeNs(by) - network.nowNs) / 1e6
  }

  answer(by: number, inboundId: RequestId, reply: AnyReply): void {
    const inbound = this.#inbound.get(inboundId)
    if (inbound === undefined) return
    if (isLast(reply)) this.#inbound.delete(inboundId)
    const { asker, id } = inbound
    const bytes = encodeReply(reply.protocol, reply.message as never)
    const big = bytes.length >= PAYLOAD_BYTES
    if (reply.protocol === 'bridge' && reply.message.type === 'item')
      this.#parts.onContent(by, asker, reply.message.bytes.length)
    const arrive = (at: number): void => {
      const close = this.#asked[at]?.get(id)
      if (close === undefined) return
      const read = decodeReply(reply.protocol, bytes, LIMITS)
      if (isLast(read)) {
        close()
        this.#asked[at]?.delete(id)
      }
      this.#looked(at, big, { kind: 'reply', id, reply: read })
    }
    this.post(by, asker, bytes.length, arrive, big)
  }

  #looked(node: number, big: boolean, event: Event): void {
    if (big) this.#parts.later(this.#parts.processingMs(node), () => this.#parts.handle(node, event))
    else this.#parts.handle(node, event)
  }

  #connected(node: number, other: number, direction: 'inbound' | 'outbound'): void {
    const peer = this.#parts.peers[other] as PeerId
    this.#parts.handle(node, { kind: 'connected', peer, direction, address: addressOf(peer), ownHost: false })
  }
}
