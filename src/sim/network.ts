import type { Limits } from '../limits.ts'
import type { Address, PeerId } from '../model/ids.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'
import { peerOf } from '../model/names.ts'
import { Decoder } from './decoder.ts'
import type { Frame, GossipParts } from './gossip.ts'
import { withoutNews, withoutReleases } from './hostile.ts'
import { between, chance, type Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import { SimTransport } from './transport.ts'

/** How bad the network is: chances in [0, 1], delays in milliseconds. */
export interface Weather {
  readonly minDelayMs: number
  readonly maxDelayMs: number
  /** A gossip message is lost on one link. */
  readonly lose: number
  /** A gossip message comes twice. */
  readonly duplicate: number
  /** A request or its answer never arrives. */
  readonly hang: number
  /** An offer of sync is answered, yet nobody took it in. */
  readonly swallow: number
}

export const CALM: Weather = { minDelayMs: 1, maxDelayMs: 5, lose: 0, duplicate: 0, hang: 0, swallow: 0 }

interface Link {
  /** The dialler first. */
  readonly ends: readonly [PeerId, PeerId]
  /** Each end that admitted the other, with the region of that other. */
  readonly admittedBy: Map<PeerId, string>
}

/**
 * The network between simulated nodes: links with delays and faults, requests over them, and gossip over those that both
 * ends admitted, which loses, doubles and reorders what is said. All that goes over it is bytes, really encoded and decoded.
 */
export class SimNetwork {
  weather: Weather = CALM
  readonly decoder: Decoder
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #ports = new Map<PeerId, SimTransport>()
  readonly #links = new Map<string, Link>()
  /** The same links by each of their ends. */
  readonly #neighbours = new Map<PeerId, Map<PeerId, Link>>()
  /** When the last message of each direction arrives. */
  readonly #arrivals = new Map<string, number>()
  /** A node whose neighbours give it everything but releases. */
  #withheldFrom: PeerId | undefined
  /** One node that reaches only those around it, which keep all news from it. */
  #eclipse: { readonly victim: PeerId; readonly around: ReadonlySet<PeerId> } | undefined
  /** Which side of a partition a node is on; nodes on one side reach one another, those on side -1 everybody. */
  #sides = new Map<PeerId, number>()
  /** Nodes that nothing comes from, or nothing comes to. */
  readonly #gray = new Map<PeerId, 'mute' | 'deaf'>()

  constructor(time: VirtualTime, random: Random, limits: Limits) {
    this.#time = time
    this.#random = random
    this.decoder = new Decoder(limits)
  }

  /** A transport for one life of a node; the one before it is dead from now on. */
  attach(peer: PeerId, isSeed = false): SimTransport {
    this.detach(peer)
    const port = new SimTransport(this, peer, isSeed)
    this.#ports.set(peer, port)
    return port
  }

  /** The node is gone: its links break at once, as the kernel of a dead process does it. */
  detach(peer: PeerId): void {
    const port = this.#ports.get(peer)
    if (port === undefined) return
    port.sink = undefined
    this.#ports.delete(peer)
    for (const link of [...this.#links.values()]) if (link.ends.includes(peer)) this.#cut(link)
  }

  partition(sides: ReadonlyMap<PeerId, number>): void {
    this.#sides = new Map(sides)
    for (const link of [...this.#links.values()]) if (!this.#reaches(...link.ends)) this.#cut(link)
  }

  /** Undefined: it is sound again. */
  gray(peer: PeerId, how: 'mute' | 'deaf' | undefined): void {
    if (how === undefined) this.#gray.delete(peer)
    else this.#gray.set(peer, how)
  }

  heal(): void {
    this.#sides = new Map()
    this.#gray.clear()
    this.#eclipse = undefined
    this.weather = CALM
  }

  withholdFrom(peer: PeerId | undefined): void {
    this.#withheldFrom = peer
  }

  /** Undefined: no more. */
  eclipse(victim?: PeerId, around: readonly PeerId[] = []): void {
    this.#eclipse = victim === undefined ? undefined : { victim, around: new Set(around) }
    for (const link of [...this.#links.values()]) if (!this.#reaches(...link.ends)) this.#cut(link)
  }

  /** One of the nodes it has admitted, the same one for the same links. */
  neighbourOf(peer: PeerId): PeerId | undefined {
    const admitted = [...(this.#neighbours.get(peer) ?? [])].filter(([, link]) => link.admittedBy.size === 2)
    return admitted.map(([other]) => other).sort()[0]
  }

  /** Gossip out of nowhere: a neighbour is told to have said it. */
  whisper(to: PeerId, from: PeerId, bytes: Uint8Array): void {
    this.#ports.get(to)?.hear('releases', from, bytes)
  }

  /** True: the offer gets an answer that means nothing. */
  swallows(to: PeerId, { protocol, message }: AnyRequest): boolean {
    // Over a border news come by the bridge.
    if (protocol === 'bridge' && message.type !== 'heartbeats') return to === this.#eclipse?.victim
    if (protocol !== 'sync' || message.type !== 'push') return false
    return (
      to === this.#withheldFrom || to === this.#eclipse?.victim || chance(this.#random, this.weather.swallow)
    )
  }

  /** What an answer becomes on its way to a node from which releases, or all news, are withheld. */
  censored(to: PeerId, reply: AnyReply): AnyReply {
    if (to === this.#eclipse?.victim) return withoutNews(reply)
    return to === this.#withheldFrom ? withoutReleases(reply) : reply
  }

  dial(from: PeerId, address: Address): void {
    const to = peerOf(address)
    this.#later(() => {
      const [a, b] = [this.#ports.get(from), this.#ports.get(to)]
      if (a === undefined) return
      if (b?.sink === undefined || !this.#reaches(from, to) || from === to) {
        a.deliver({ kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
        return
      }
      if (this.#links.has(linkKey(from, to))) return
      this.#join({ ends: [from, to], admittedBy: new Map() })
      a.deliver({ kind: 'connected', peer: to, direction: 'outbound', address, ownHost: false })
      b.deliver({
        kind: 'connected',
        peer: from,
        direction: 'inbound',
        address: addressOf(from),
        ownHost: false,
      })
    })
  }

  hangUp(from: PeerId, to: PeerId): void {
    this.#later(() => {
      const link = this.#links.get(linkKey(from, to))
      if (link !== undefined) this.#cut(link)
    })
  }

  admit(by: PeerId, other: PeerId, region: string): void {
    const link = this.#links.get(linkKey(by, other))
    if (link === undefined) return
    link.admittedBy.set(by, region)
    if (!isMesh(link)) return
    const [dialler, dialled] = link.ends
    this.#ports.get(dialler)?.joined(dialled, true)
    this.#ports.get(dialled)?.joined(dialler, false)
  }

  /**
   * Carries what gossip says along a link, if it is still there by then. Who is in whose mesh is never lost: a stream
   * brings it or breaks, and both ends would be wrong about each other from then on.
   */
  say(from: PeerId, to: PeerId, frame: Frame): void {
    const isMesh = frame.kind === 'graft' || frame.kind === 'prune'
    if (!isMesh && (chance(this.#random, this.weather.lose) || this.#swallowed(from, to))) return
    if (frame.kind === 'message') {
      if (to === this.#withheldFrom && frame.topic === 'releases') return
      if (to === this.#eclipse?.victim) return
    }
    const copies = !isMesh && chance(this.#random, this.weather.duplicate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      this.#later(() => {
        if (this.#links.has(linkKey(from, to))) this.#ports.get(to)?.receiveGossip(from, frame)
      })
    }
  }

  /** Carries a message along a link, if it is still there by then and nothing swallows it. Streams keep their order. */
  carry(from: PeerId, to: PeerId, action: (port: SimTransport) => void): void {
    if (chance(this.#random, this.weather.hang) || this.#swallowed(from, to)) return
    const direction = `${from} ${to}`
    const delayMs = between(this.#random, this.weather.minDelayMs, this.weather.maxDelayMs)
    const arrivesMs = Math.max(this.#time.nowMs + delayMs, this.#arrivals.get(direction) ?? 0)
    this.#arrivals.set(direction, arrivesMs)
    this.#time.after(arrivesMs - this.#time.nowMs, () => {
      const port = this.#ports.get(to)
      if (port !== undefined && this.#links.has(linkKey(from, to))) action(port)
    })
  }

  /** What gossip of any node needs of the network. */
  get gossipClock(): Pick<GossipParts, 'random' | 'nowMs' | 'after'> {
    return {
      random: this.#random,
      nowMs: () => this.#time.nowMs,
      after: (ms, action) => this.timer(ms, action),
    }
  }

  /** False: that life of the node is over. */
  isCurrent(peer: PeerId, port: SimTransport): boolean {
    return this.#ports.get(peer) === port
  }

  timer(ms: number, action: () => void): () => void {
    return this.#time.after(ms, action)
  }

  isLinked(a: PeerId, b: PeerId): boolean {
    return this.#links.has(linkKey(a, b))
  }

  #later(action: () => void): void {
    this.#time.after(between(this.#random, this.weather.minDelayMs, this.weather.maxDelayMs), action)
  }

  /** It never arrives: the sender is mute or the receiver deaf. */
  #swallowed(from: PeerId, to: PeerId): boolean {
    return this.#gray.size > 0 && (this.#gray.get(from) === 'mute' || this.#gray.get(to) === 'deaf')
  }

  #reaches(a: PeerId, b: PeerId): boolean {
    if (this.#eclipse !== undefined) {
      const { victim, around } = this.#eclipse
      if ((a === victim && !around.has(b)) || (b === victim && !around.has(a))) return false
    }
    const [one, other] = [this.#sides.get(a) ?? 0, this.#sides.get(b) ?? 0]
    return one === other || one === -1 || other === -1
  }

  #join(link: Link): void {
    const [a, b] = link.ends
    this.#links.set(linkKey(a, b), link)
    for (const [end, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const links = this.#neighbours.get(end) ?? new Map<PeerId, Link>()
      this.#neighbours.set(end, links.set(other, link))
    }
  }

  #cut(link: Link): void {
    const [a, b] = link.ends
    this.#links.delete(linkKey(a, b))
    this.#neighbours.get(a)?.delete(b)
    this.#neighbours.get(b)?.delete(a)
    this.#ports.get(a)?.lost(b)
    this.#ports.get(b)?.lost(a)
  }
}

const linkKey = (a: PeerId, b: PeerId): string => (a < b ? `${a} ${b}` : `${b} ${a}`)

/** Admitted by both ends, which are of one region: another's has other topics. */
function isMesh({ admittedBy }: Link): boolean {
  const [a, b] = admittedBy.values()
  return b !== undefined && a === b
}

export const addressOf = (peer: PeerId): Address => `/ip4/192.0.2.1/tcp/7400/p2p/${peer}` as Address
