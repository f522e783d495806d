/** gossipsub between simulated cores: each message is known by its bytes, and spreads along the mesh once accepted. */
import type { EffectOf } from '../../core/effects.ts'
import type { Event, Topic } from '../../core/events.ts'
import type { PeerId } from '../../model/ids.ts'
import type { Carrier } from './core-carrier.ts'
import { type Fleet, MESH_DEGREE, ORIGIN, PLACES } from './fleet.ts'
import { DONT_WANT_BYTES, DONT_WANT_FROM_BYTES } from './small.ts'

interface Message {
  readonly topic: Topic
  readonly bytes: Uint8Array
  /** Nodes that have it, and by place (node, mesh) who is known to. */
  readonly seen: Set<number>
  readonly known: Set<number>
}

interface GossipParts {
  readonly fleet: Fleet
  readonly peers: readonly PeerId[]
  readonly carrier: Carrier
  readonly handle: (node: number, event: Event) => void
  readonly later: (ms: number, action: () => void) => void
  readonly processingMs: (node: number) => number
  /** A copy of a release leaves a node for another. */
  readonly onContent: (from: number, to: number, bytes: number) => void
}

export class CoreGossip {
  readonly #parts: GossipParts
  readonly #messages = new Map<string, Message>()

  constructor(parts: GossipParts) {
    this.#parts = parts
  }

  publish(node: number, topic: Topic, bytes: Uint8Array): void {
    const id = idOf(topic, bytes)
    const message = this.#messages.get(id) ?? { topic, bytes, seen: new Set(), known: new Set() }
    this.#messages.set(id, message)
    if (message.seen.has(node)) return
    message.seen.add(node)
    this.#spread(node, id, message)
  }

  judge(node: number, { id, verdict }: EffectOf<'verdict'>): void {
    const message = this.#messages.get(id)
    if (message !== undefined && verdict === 'accept') this.#spread(node, id, message)
  }

  #spread(node: number, id: string, message: Message): void {
    for (const peer of this.#mesh(node)) {
      if (message.known.has(node * this.#parts.fleet.size + peer)) continue
      if (message.topic === 'releases') this.#parts.onContent(node, peer, message.bytes.length)
      this.#parts.carrier.post(
        node,
        peer,
        message.bytes.length,
        (to, from) => this.#hear(to, from, id, message),
        message.bytes.length >= DONT_WANT_FROM_BYTES,
      )
    }
  }

  #hear(node: number, from: number, id: string, message: Message): void {
    const { size } = this.#parts.fleet
    message.known.add(node * size + from)
    if (message.seen.has(node)) return
    message.seen.add(node)
    if (message.bytes.length >= DONT_WANT_FROM_BYTES)
      for (const peer of this.#mesh(node))
        if (peer !== from)
          this.#parts.carrier.post(
            node,
            peer,
            DONT_WANT_BYTES,
            (to) => message.known.add(to * size + node),
            false,
          )
    const sender = this.#parts.peers[from] as PeerId
    this.#parts.later(this.#parts.processingMs(node), () =>
      this.#parts.handle(node, {
        ...{ kind: 'gossip', topic: message.topic, from: sender, id, bytes: message.bytes },
      }),
    )
  }

  #mesh(node: number): readonly number[] {
    const { originMesh, neighbours } = this.#parts.fleet
    if (node === ORIGIN) return [...originMesh]
    return [...neighbours.subarray(node * PLACES, node * PLACES + MESH_DEGREE)].filter((peer) => peer !== -1)
  }
}

const idOf = (topic: Topic, bytes: Uint8Array): string => `${topic} ${Buffer.from(bytes).toString('base64')}`
