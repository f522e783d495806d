/**
 * A peer without our network code: libp2p alone, and whatever bytes a test gives it. It follows the protocols as far as
 * it has to in order to be let in, and no further.
 */
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import type { Connection, Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { decodeBeacon } from '../../../src/codec/beacon.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeControlGossip, encodeControlGossip, encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../../src/codec/messages.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Beacon } from '../../../src/model/beacon.ts'
import type { Envelope } from '../../../src/model/envelope.ts'
import type { Heartbeat } from '../../../src/model/heartbeat.ts'
import type { Address, Name, Pattern, PeerId } from '../../../src/model/ids.ts'
import type {
  AnyReply,
  AnyRequest,
  Hello,
  Protocol,
  ReplyOf,
  RequestOf,
} from '../../../src/model/messages.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { frame } from '../../../src/net/framing.ts'
import { topicNames } from '../../../src/net/gossip.ts'
import { libp2pKey, newIdentityPem } from '../../../src/net/identity.ts'
import { PROTOCOL_IDS, PROTOCOLS } from '../../../src/net/protocols.ts'
import { signHeartbeat } from '../../../src/trust/heartbeat.ts'
import { type PrivateKey, privateKeyFromPem } from '../../../src/trust/private-key.ts'
import { plainHost } from '../../integration/net/plain-host.ts'
import type { MadeRelease } from './fleet.ts'
import { until } from './victim.ts'

const MESHSUB = '/meshsub/1.1.0'
const MIB = 1024 * 1024
const REPLY_MS = 10_000
/** Where nodes without labels are. */
const REGION = 'default'

/** What it answers when it is asked; undefined: nothing, ever. */
export type Answers = (request: AnyRequest) => AnyReply | undefined

/** Compares as whoever has the same: a node hangs up on peers that answer nothing. */
export const agreeing: Answers = ({ protocol, message }) => {
  if (protocol !== 'sync') return undefined
  if (message.type === 'peers') return { protocol, message: { type: 'peers', records: [] } }
  if (message.type === 'beacons') return { protocol, message: { type: 'beacons', beacons: [] } }
  if (message.type !== 'digests') return { protocol, message: { type: 'noted' } }
  const { root, beacons } = message
  return { protocol, message: { type: 'differ', root, beacons, subs: 1, buckets: [], digests: [] } }
}

export type Topic = 'releases' | 'control'

/** What an attacker knows of a fleet: its root, and where it was admitted, its own certificate. */
export interface Known {
  readonly root: TrustRoot
  chainFor(peer: PeerId, key?: PrivateKey, labels?: Map<string, string>): readonly Envelope[]
}

export interface HostileOptions {
  readonly listen?: boolean
  /** Of its certificate; its topics are those of the node that it attacks all the same. */
  readonly region?: string
}

export class Hostile {
  /** Of itself, in hello. */
  patterns: readonly string[] = ['**']
  region: string
  /** Its own word, which nobody certifies. */
  submits = false
  /** In hello: of gateways that it knows. */
  heartbeats: readonly Uint8Array[] = []
  /** Sync, blocks and bridge; admission is answered as needed. */
  answers: Answers = () => undefined
  readonly asked: AnyRequest[] = []
  /** Hostile messages that went out. */
  written = 0
  /** Messages of others, as they came by gossip. */
  readonly heard: Uint8Array[] = []
  readonly #node: Libp2p
  readonly #fleet: Known
  readonly #key: PrivateKey
  /** As the certificate has it, whatever hello says. */
  readonly #certified: string | undefined
  readonly topics: Readonly<Record<Topic, string>>
  readonly #lines = new Map<Protocol, { stream: Stream; messages: LengthPrefixedStream<Stream> }>()
  #gossip: Stream | undefined

  private constructor(node: Libp2p, key: PrivateKey, fleet: Known, region: string | undefined) {
    this.#node = node
    this.#key = key
    this.#fleet = fleet
    this.#certified = region
    this.region = region ?? REGION
    this.topics = topicNames(fleet.root.fleetId, REGION)
  }

  static async start(fleet: Known, { listen = false, region }: HostileOptions = {}): Promise<Hostile> {
    const pem = newIdentityPem()
    const node = await plainHost({ listen, privateKey: await libp2pKey(pem) })
    const hostile = new Hostile(node, privateKeyFromPem(pem), fleet, region)
    await hostile.#listen()
    return hostile
  }

  get id(): PeerId {
    return this.#node.peerId.toString() as PeerId
  }

  get address(): Address {
    return String(this.#node.getMultiaddrs()[0]) as Address
  }

  encode({ protocol, message }: AnyRequest): Uint8Array {
    return encodeRequest(protocol, message as never)
  }

  get connections(): number {
    return this.#node.getConnections().length
  }

  async dial(address: Address): Promise<void> {
    this.#lines.clear()
    this.#gossip = undefined
    await this.#node.dial(multiaddr(address))
  }

  /** Connects and gets in; what the node says instead where it does not let it. */
  async enter(address: Address, chain = this.#chain()): Promise<AdmitAnswer> {
    await this.dial(address)
    await this.ask('admit', this.#opening())
    return (await this.ask('admit', { ...this.hello(), chain })) as AdmitAnswer
  }

  /** In, with a gossip stream that the node reads. */
  async join(address: Address): Promise<void> {
    const answer = await this.enter(address)
    if (answer.type !== 'hello') throw new Error(`not admitted: ${JSON.stringify(answer)}`)
    await this.openGossip()
  }

  /** The honest way, for a peer that is to be believed in a test. */
  static async joined(fleet: Known, address: Address): Promise<Hostile> {
    const peer = await Hostile.start(fleet)
    await peer.join(address)
    return peer
  }

  hello(): Hello {
    return {
      type: 'hello',
      chain: this.#chain(),
      patterns: this.patterns as readonly Pattern[],
      region: this.region,
      zone: 'default',
      submit: this.submits,
      heartbeats: this.heartbeats,
    }
  }

  /** Its word that it stands for gateway, with all that makes one count. */
  heartbeat(change: Partial<Heartbeat> = {}, key = this.#key): Uint8Array {
    const addresses = [`/ip4/127.0.0.1/tcp/9/p2p/${change.peer ?? this.id}` as Address]
    const region = (this.#certified ?? REGION) as Name
    const said = { v: 1, critical: [], peer: this.id, region, addresses, at: Date.now() } as const
    return signHeartbeat({ ...said, chain: this.#chain(), ...change }, key)
  }

  /** A stream of its own, for bytes that are no messages. */
  stream(protocol: Protocol | string): Promise<Stream> {
    const [connection] = this.#node.getConnections()
    if (connection === undefined) throw new Error('not connected')
    const id = PROTOCOL_IDS[protocol as Protocol] ?? protocol
    return connection.newStream([id], { maxOutboundStreams: 100_000 })
  }

  /** One message of the protocol and its answer, on a stream that is kept. */
  async ask<P extends Protocol>(protocol: P, message: RequestOf[P]): Promise<ReplyOf[P]> {
    return (await this.askBytes(protocol, encodeRequest(protocol, message))) as ReplyOf[P]
  }

  async askBytes(protocol: Protocol, bytes: Uint8Array): Promise<ReplyOf[Protocol]> {
    let line = this.#lines.get(protocol)
    if (line === undefined || line.stream.status !== 'open') {
      const stream = await this.stream(protocol)
      line = { stream, messages: lpStream(stream, { maxDataLength: MIB }) }
      this.#lines.set(protocol, line)
    }
    await line.messages.write(bytes)
    const reply = await line.messages.read({ signal: AbortSignal.timeout(REPLY_MS) })
    return decodeReply(protocol, reply.subarray(), LIMITS).message
  }

  async openGossip(): Promise<void> {
    this.#gossip = await this.stream(MESHSUB)
    const subscriptions = Object.values(this.topics).map((topic) => ({ subscribe: true, topic }))
    this.rpc({ subscriptions })
    const graft = Object.values(this.topics).map((topicID) => ({ topicID }))
    this.rpc({ control: { ihave: [], iwant: [], graft, prune: [], idontwant: [] } })
  }

  /** Any RPC of gossipsub; false: the stream takes no more for now. */
  rpc(rpc: Partial<Parameters<typeof RPC.encode>[0]>): boolean {
    return this.rpcBytes(RPC.encode({ subscriptions: [], messages: [], ...rpc }))
  }

  rpcBytes(bytes: Uint8Array): boolean {
    if (this.#gossip === undefined || this.#gossip.status !== 'open') throw new Error('no gossip stream')
    return this.#gossip.send(frame([bytes], 64 * MIB))
  }

  /** Empty RPCs, and those that graft what is grafted, in one write. */
  tinyRpcs(count: number): void {
    const graft = [{ topicID: this.topics.releases }]
    const rpc = RPC.encode({
      subscriptions: [],
      messages: [],
      control: { ihave: [], iwant: [], graft, prune: [], idontwant: [] },
    })
    const all = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? new Uint8Array() : rpc))
    this.#gossip?.send(frame(all, MIB))
  }

  get gossipStream(): Stream | undefined {
    return this.#gossip
  }

  gossip(topic: Topic, ...all: readonly Uint8Array[]): boolean {
    return this.rpc({ messages: all.map((data) => ({ topic: this.topics[topic], data })) })
  }

  /** As a seed announces it, content attached. */
  announce({ bytes, pages, blocks }: Pick<MadeRelease, 'bytes' | 'pages' | 'blocks'>): boolean {
    return this.gossip('releases', encodeReleaseGossip({ envelope: bytes, attached: [...pages, ...blocks] }))
  }

  /** The envelope alone: content is to be fetched. */
  announceBare({ bytes }: Pick<MadeRelease, 'bytes'>): boolean {
    return this.gossip('releases', encodeReleaseGossip({ envelope: bytes, attached: [] }))
  }

  control(kind: 'root' | 'beacon' | 'heartbeat', envelope: Uint8Array): boolean {
    return this.gossip('control', encodeControlGossip({ kind, envelope }))
  }

  async stop(): Promise<void> {
    await this.#node.stop()
  }

  #chain(): Uint8Array[] {
    const labels = new Map(this.#certified === undefined ? [] : [['region', this.#certified]])
    return this.#fleet.chainFor(this.id, undefined, labels).map(encodeEnvelope)
  }

  #opening() {
    const { root } = this.#fleet
    return { type: 'open', version: root.version, digest: sha256(encodeRoot(root)) } as const
  }

  async #listen(): Promise<void> {
    for (const protocol of PROTOCOLS)
      await this.#node.handle(PROTOCOL_IDS[protocol], (stream) => this.#serve(protocol, stream), {
        maxInboundStreams: 100_000,
      })
    await this.#node.handle(MESHSUB, (stream, connection) => this.#listenToGossip(stream, connection))
  }

  async #serve(protocol: Protocol, stream: Stream): Promise<void> {
    const line = lpStream(stream, { maxDataLength: MIB })
    try {
      for (;;) {
        const request = decodeRequest(protocol, (await line.read()).subarray(), LIMITS)
        const reply = this.#reply(request)
        if (reply !== undefined) await line.write(encodeReply(reply.protocol, reply.message as never))
      }
    } catch {
      // the stream has ended, as they do
    }
  }

  #reply(request: AnyRequest): AnyReply | undefined {
    if (request.protocol === 'admit') {
      const { message } = request
      if (message.type === 'open')
        return { protocol: 'admit', message: { ...this.#opening(), type: 'opened' } }
      if (message.type === 'hello') return { protocol: 'admit', message: this.hello() }
      this.asked.push(request)
      return this.answers(request) ?? { protocol: 'admit', message: { type: 'noted' } }
    }
    this.asked.push(request)
    return this.answers(request)
  }

  /** What the node relays to it. */
  async #listenToGossip(stream: Stream, _connection: Connection): Promise<void> {
    const line = lpStream(stream, { maxDataLength: 8 * MIB, maxBufferSize: 16 * MIB })
    try {
      for (;;)
        for (const { data } of RPC.decode((await line.read()).subarray()).messages)
          if (data !== undefined) this.heard.push(data)
    } catch {
      // the stream has ended
    }
  }

  /** Those that came by gossip, each with what it was read from. */
  beacons(): { readonly beacon: Beacon; readonly envelope: Uint8Array }[] {
    return this.heard.flatMap((bytes) => {
      try {
        const { kind, envelope } = decodeControlGossip(bytes, LIMITS)
        if (kind !== 'beacon') return []
        const { payload } = decodeEnvelope(envelope, LIMITS.maxBeaconBytes, LIMITS)
        return [{ beacon: decodeBeacon(payload, LIMITS), envelope }]
      } catch {
        // a message of the other topic
        return []
      }
    })
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return until(what, holds)
  }

  /** Waits for a question of the node. */
  wasAsked(what: string, where: (request: AnyRequest) => boolean): Promise<void> {
    return until(what, () => this.asked.some(where))
  }
}

export type AdmitAnswer = ReplyOf['admit']
