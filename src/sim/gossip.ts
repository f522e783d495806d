/**
 * gossipsub of one simulated node, as far as it decides who hears what and when: a mesh that lasts for each topic,
 * which a heartbeat mends, and word of what was accepted to some of those outside it, who ask for what they lack.
 * Rules and figures are those of @libp2p/gossipsub 17 with the settings of `net/gossip.ts`. Left out is what only saves
 * bytes (IDONTWANT), and the penalties for grafting too early and for promises that are not kept.
 */
import { sha256 } from '../codec/digest.ts'
import type { Digest, PeerId } from '../model/ids.ts'
import type { EffectOf, EventOf } from '../runtime/ports.ts'
import { type Random, shuffled } from './random.ts'

export type Topic = EffectOf<'publish'>['topic']

const TOPICS: readonly Topic[] = ['releases', 'control']

/** What goes over a link. Nobody waits for an answer. */
export type Frame =
  | { readonly kind: 'message'; readonly topic: Topic; readonly bytes: Uint8Array }
  | { readonly kind: 'graft' | 'prune'; readonly topic: Topic }
  | { readonly kind: 'have' | 'want'; readonly ids: readonly string[] }

/** As `gossipOptions` of the real one has them, or as the package does. */
export const GOSSIP = {
  degree: 6,
  lowDegree: 5,
  highDegree: 9,
  outboundDegree: 2,
  /** Kept whatever chance says, when a mesh is cut down: those that are in it longest, for all are as good. */
  keptDegree: 4,
  /** Outside the mesh, told at each heartbeat: so many, or this share where that is more. */
  lazyDegree: 3,
  lazyShare: 0.25,
  firstHeartbeatMs: 100,
  heartbeatMs: 1_000,
  /** Heartbeats for which a message can be had, and for which it is told of: by a seed a heartbeat later. */
  cached: 12,
  told: 1,
  backoffMs: 60_000,
  invalidWeight: -20,
  invalidDecay: 0.99,
  gossipThreshold: -100,
  publishThreshold: -500,
  graylistThreshold: -900,
} as const

/** Fewer invalid messages than this are none. */
const FORGIVEN = 0.01

interface Message {
  readonly id: string
  readonly topic: Topic
  readonly bytes: Uint8Array
}

interface Mesh {
  readonly peers: Set<PeerId>
  /** Whom not to graft before when. */
  readonly backoff: Map<PeerId, number>
  /** Messages of each that were rejected; old ones count less. */
  readonly invalid: Map<PeerId, number>
}

export interface GossipParts {
  /** Everybody wants a seed for a neighbour, and it takes no more of them than it needs. */
  readonly isSeed: boolean
  readonly random: Random
  nowMs(): number
  /** False: the node is gone. */
  isUp(): boolean
  after(ms: number, action: () => void): void
  send(to: PeerId, frame: Frame): void
  hear(event: EventOf<'gossip'>): void
}

export class SimGossip {
  readonly #parts: GossipParts
  /** Who listens to the topics of our region, and whether we dialled it. */
  readonly #peers = new Map<PeerId, { readonly dialled: boolean }>()
  readonly #meshes: Readonly<Record<Topic, Mesh>> = { releases: newMesh(), control: newMesh() }
  readonly #seen = new Set<string>()
  /** Waiting for a verdict. */
  readonly #judged = new Map<string, Message>()
  /** By heartbeat, the latest first. */
  readonly #cache: Message[][] = [[]]

  constructor(parts: GossipParts) {
    this.#parts = parts
    parts.after(GOSSIP.firstHeartbeatMs, () => this.#heartbeat())
  }

  meshPeers(topic: Topic): readonly PeerId[] {
    return [...this.#meshes[topic].peers].sort()
  }

  /** A neighbour listens, since both ends admitted each other. */
  joined(peer: PeerId, dialled: boolean): void {
    if (this.#peers.has(peer)) return
    this.#peers.set(peer, { dialled })
    for (const topic of TOPICS)
      if (this.#meshes[topic].peers.size < GOSSIP.lowDegree && this.#mayGraft(topic, peer))
        this.#graft(topic, peer)
  }

  left(peer: PeerId): void {
    this.#peers.delete(peer)
    for (const topic of TOPICS) this.#meshes[topic].peers.delete(peer)
  }

  publish(topic: Topic, bytes: Uint8Array): void {
    const id = messageId(topic, bytes)
    if (this.#seen.has(id)) return
    this.#seen.add(id)
    this.#cache[0]?.push({ id, topic, bytes })
    const mesh = this.#meshes[topic].peers
    const others = [...this.#peers.keys()].filter(
      (peer) => !mesh.has(peer) && this.#score(peer) >= GOSSIP.publishThreshold,
    )
    const more = shuffled(others, this.#parts.random).slice(0, Math.max(0, GOSSIP.degree - mesh.size))
    for (const peer of [...mesh, ...more]) this.#parts.send(peer, { kind: 'message', topic, bytes })
  }

  judge({ id, from, verdict }: EffectOf<'verdict'>): void {
    const message = this.#judged.get(id)
    if (message === undefined) return
    this.#judged.delete(id)
    const { topic, bytes } = message
    const { peers, invalid } = this.#meshes[topic]
    if (verdict === 'reject') invalid.set(from, (invalid.get(from) ?? 0) + 1)
    if (verdict !== 'accept') return
    this.#cache[0]?.push(message)
    for (const peer of peers) if (peer !== from) this.#parts.send(peer, { kind: 'message', topic, bytes })
  }

  hear(topic: Topic, from: PeerId, bytes: Uint8Array): void {
    const id = messageId(topic, bytes)
    if (this.#seen.has(id)) return
    this.#seen.add(id)
    this.#judged.set(id, { id, topic, bytes })
    this.#parts.hear({ kind: 'gossip', topic, from, id, bytes })
  }

  receive(from: PeerId, frame: Frame): void {
    if (!this.#peers.has(from) || this.#score(from) < GOSSIP.graylistThreshold) return
    switch (frame.kind) {
      case 'message':
        return this.hear(frame.topic, from, frame.bytes)
      case 'graft':
        return this.#grafted(frame.topic, from)
      case 'prune':
        this.#meshes[frame.topic].peers.delete(from)
        return this.#backOff(frame.topic, from)
      case 'have':
        return this.#told(from, frame.ids)
      case 'want':
        return this.#asked(from, frame.ids)
    }
  }

  #told(from: PeerId, ids: readonly string[]): void {
    const wanted = ids.filter((id) => !this.#seen.has(id))
    if (wanted.length > 0 && this.#score(from) >= GOSSIP.gossipThreshold)
      this.#parts.send(from, { kind: 'want', ids: wanted })
  }

  #asked(from: PeerId, ids: readonly string[]): void {
    if (this.#score(from) < GOSSIP.gossipThreshold) return
    for (const { id, topic, bytes } of this.#cache.flat())
      if (ids.includes(id)) this.#parts.send(from, { kind: 'message', topic, bytes })
  }

  #grafted(topic: Topic, from: PeerId): void {
    const { peers } = this.#meshes[topic]
    if (peers.has(from)) return
    const isFull = peers.size >= this.#highDegree && this.#peers.get(from)?.dialled !== true
    if (isFull || !this.#mayGraft(topic, from)) {
      this.#backOff(topic, from)
      this.#parts.send(from, { kind: 'prune', topic })
    } else peers.add(from)
  }

  #heartbeat(): void {
    if (!this.#parts.isUp()) return
    for (const topic of TOPICS) {
      this.#fade(topic)
      this.#mend(topic)
      this.#tell(topic)
    }
    this.#cache.unshift([])
    this.#cache.length = Math.min(this.#cache.length, GOSSIP.cached)
    this.#parts.after(GOSSIP.heartbeatMs, () => this.#heartbeat())
  }

  #fade(topic: Topic): void {
    const { invalid } = this.#meshes[topic]
    for (const [peer, count] of invalid) {
      const left = count * GOSSIP.invalidDecay
      if (left < FORGIVEN) invalid.delete(peer)
      else invalid.set(peer, left)
    }
  }

  #mend(topic: Topic): void {
    const { peers } = this.#meshes[topic]
    for (const peer of peers) if (this.#score(peer) < 0) this.#prune(topic, peer)
    const candidates = shuffled([...this.#peers.keys()], this.#parts.random).filter(
      (peer) => !peers.has(peer) && this.#mayGraft(topic, peer),
    )
    if (peers.size < GOSSIP.lowDegree)
      for (const peer of candidates.splice(0, GOSSIP.degree - peers.size)) this.#graft(topic, peer)
    if (peers.size > this.#highDegree) this.#cutDown(topic)
    if (peers.size < GOSSIP.lowDegree) return
    const lacking = Math.max(
      0,
      GOSSIP.outboundDegree - [...peers].filter((peer) => this.#dialled(peer)).length,
    )
    for (const peer of candidates.filter((one) => this.#dialled(one)).slice(0, lacking))
      this.#graft(topic, peer)
  }

  /** To those longest in it, and others by chance; some of them dialled by us, whom no attacker chose. */
  #cutDown(topic: Topic): void {
    const all = [...this.#meshes[topic].peers]
    const { keptDegree, outboundDegree, degree } = GOSSIP
    const order = [...all.slice(0, keptDegree), ...shuffled(all.slice(keptDegree), this.#parts.random)]
    const dialled = order.filter((peer) => this.#dialled(peer)).slice(0, outboundDegree)
    const rest = order.filter((peer) => !dialled.includes(peer))
    for (const peer of rest.slice(degree - dialled.length)) this.#prune(topic, peer)
  }

  #tell(topic: Topic): void {
    const first = this.#parts.isSeed ? 1 : 0
    const messages = this.#cache.slice(first, first + GOSSIP.told).flat()
    const ids = messages.filter((message) => message.topic === topic).map(({ id }) => id)
    if (ids.length === 0) return
    const { peers } = this.#meshes[topic]
    const others = [...this.#peers.keys()].filter(
      (peer) => !peers.has(peer) && this.#score(peer) >= GOSSIP.gossipThreshold,
    )
    const count = Math.max(GOSSIP.lazyDegree, Math.floor(GOSSIP.lazyShare * others.length))
    for (const peer of shuffled(others, this.#parts.random).slice(0, count))
      this.#parts.send(peer, { kind: 'have', ids })
  }

  #graft(topic: Topic, peer: PeerId): void {
    this.#meshes[topic].peers.add(peer)
    this.#parts.send(peer, { kind: 'graft', topic })
  }

  #prune(topic: Topic, peer: PeerId): void {
    this.#meshes[topic].peers.delete(peer)
    this.#backOff(topic, peer)
    this.#parts.send(peer, { kind: 'prune', topic })
  }

  #backOff(topic: Topic, peer: PeerId): void {
    this.#meshes[topic].backoff.set(peer, this.#parts.nowMs() + GOSSIP.backoffMs)
  }

  #mayGraft(topic: Topic, peer: PeerId): boolean {
    return (this.#meshes[topic].backoff.get(peer) ?? 0) <= this.#parts.nowMs() && this.#score(peer) >= 0
  }

  #score(peer: PeerId): number {
    return TOPICS.reduce((sum, topic) => {
      const count = this.#meshes[topic].invalid.get(peer) ?? 0
      return sum + GOSSIP.invalidWeight * count * count
    }, 0)
  }

  get #highDegree(): number {
    return this.#parts.isSeed ? GOSSIP.degree : GOSSIP.highDegree
  }

  #dialled(peer: PeerId): boolean {
    return this.#peers.get(peer)?.dialled === true
  }
}

const newMesh = (): Mesh => ({ peers: new Set(), backoff: new Map(), invalid: new Map() })

/** Every node on a message's way is given the same bytes, which nobody changes: one digest serves all. */
const digests = new WeakMap<Uint8Array, Digest>()

function messageId(topic: Topic, bytes: Uint8Array): string {
  const digest = digests.get(bytes) ?? sha256(bytes)
  digests.set(bytes, digest)
  return `${topic} ${digest}`
}
