/** The two topics of a region on gossipsub: what may be said on them, and the core's verdicts. */
import { createHash } from 'node:crypto'
import { type GossipsubOpts, StrictNoSign, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import { createTopicScoreParams } from '@chainsafe/libp2p-gossipsub/score'
import type { PeerId as Libp2pPeerId } from '@libp2p/interface'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId, PeerId } from '../model/ids.ts'
import type { EffectOf, LogPort, TransportEvent } from '../runtime/ports.ts'
import { afterReading } from './after-reading.ts'
import type { Gate, Inbound } from './gate.ts'
import { clockWatch, type GossipTimes } from './gossip-clock.ts'
import {
  type Backoffs,
  boundBackoffs,
  forget,
  forgetOldest,
  type GossipMemory,
  keepCounts,
  type Scores,
  tellLater,
  tellOnceJudged,
} from './gossip-memory.ts'
import { type GossipNotices, sayNoMoreThanNoted } from './gossip-notices.ts'
import { type GossipPromises, readBeforeBlame } from './gossip-promises.ts'
import type { Misconduct } from './misconduct.ts'
import { type Pace, Throttle } from './pace.ts'
import { relayHold } from './relay-hold.ts'
import type { Unread } from './unread.ts'

export type Topic = EffectOf<'publish'>['topic']

/**
 * What we use of gossipsub 17.1.1: its exported type leaves these public members out. No contract of theirs, hence
 * the exact version in package.json.
 */
export type Pubsub = GossipMemory & Backoffs & GossipTimes & GossipNotices & GossipPromises & Members

interface Members {
  readonly topicValidators: Map<
    string,
    (peer: Libp2pPeerId, message: { data: Uint8Array }) => Promise<TopicValidatorResult>
  >
  /** Topics anybody subscribes to, as far as we have heard. */
  readonly topics: Map<string, unknown>
  readonly streamsOutbound: Map<string, { readonly rawStream?: { readonly writeBufferLength?: number } }>
  readonly streamsInbound: Map<string, unknown>
  readonly score: Scores
  subscribe(topic: string): void
  publish(topic: string, data: Uint8Array): Promise<{ readonly recipients: readonly unknown[] }>
  reportMessageValidationResult(id: string, source: string, verdict: TopicValidatorResult): void
  getMeshPeers(topic: string): string[]
  getSubscribers(topic: string): Libp2pPeerId[]
  getScore(peer: string): number
  addEventListener(type: 'gossipsub:message', listener: (event: CustomEvent<GossipMessage>) => void): void
  addEventListener(type: 'gossipsub:heartbeat', listener: () => void): void
}

interface GossipMessage {
  readonly propagationSource: Libp2pPeerId
  readonly msgId: string
  readonly msg: { readonly topic: string; readonly data: Uint8Array }
}

const VERDICTS = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
} as const

/** Enough of the fleet's id to keep fleets apart by accident; admission keeps them apart on purpose. */
const FLEET_ID_CHARS = 8

/** Topic names. Each region has its own, so that its mesh never crosses a border: the bridge does that once. */
export function topicNames(fleetId: FleetId, region: string): Readonly<Record<Topic, string>> {
  const prefix = `/confmesh/${fleetId.slice(0, FLEET_ID_CHARS)}/${region}`
  return { releases: `${prefix}/releases`, control: `${prefix}/control` }
}

/** P4 alone counts: quiet topics and many nodes behind one address are normal here and must cost nothing. */
const topicScore = () =>
  createTopicScoreParams({
    topicWeight: 1,
    timeInMeshWeight: 0,
    firstMessageDeliveriesWeight: 0,
    meshMessageDeliveriesWeight: 0,
    meshFailurePenaltyWeight: 0,
    invalidMessageDeliveriesWeight: -20,
    invalidMessageDeliveriesDecay: 0.99,
  })

const messageId = (topic: string, data: Uint8Array): Uint8Array =>
  createHash('sha256').update(topic).update('\0').update(data).digest()

export interface GossipSettings {
  readonly fleetId: FleetId
  readonly region: string
  readonly seed: boolean
  readonly gate: Gate
  readonly pace: Pace
  readonly limits: Limits
}

/**
 * A message is told of in one heartbeat, to three peers outside the mesh or a quarter of them: a node of whose mesh nobody
 * passes anything on hears of it within a second (from a seed, within two: `tellLater`). gossipsub tells six in each of three
 * heartbeats, because its links may lose a message; ours do not, and what is missing all the same sync brings, as it does to
 * whoever comes later. A node that six told was told six times of what it had.
 */
const TOLD_HEARTBEATS = 1
const TOLD_PEERS = 3
/**
 * Neighbours in the mesh of a topic. For each byte of 12 KiB that a hundred real nodes on two cores were given they sent 2.0
 * with six neighbours and 2.5 with eight. Where a fifth pass nothing on, one node in 15,000 has six such: it is told, as above.
 */
const MESH_DEGREE = 6
export const MAX_MESH_DEGREE = 9
/**
 * For so long a peer that has gone keeps its score, so that it is not rid of it by coming back (`keepCounts`). In an hour,
 * gossipsub's own measure, whoever has a pool's key leaves 180,000 names behind, which it goes through each second; to come
 * back under another name costs it nothing.
 */
const RETAIN_SCORE_MS = 60_000
/** What is in one RPC of gossip: far more than an honest peer has to say at once. */
export const RPC_LIMITS = {
  maxSubscriptions: 1000,
  maxMessages: 1000,
  maxControlMessages: 1000,
  maxIhaveMessageIDs: 1000,
  maxIwantMessageIDs: 1000,
  maxIdontwantMessageIDs: 512,
  maxPeerInfos: 0,
} as const

export function gossipOptions({
  fleetId,
  region,
  seed,
  gate,
  pace,
  limits,
}: GossipSettings): Partial<GossipsubOpts> {
  const topics = topicNames(fleetId, region)
  return {
    globalSignaturePolicy: StrictNoSign,
    // over all data: a relay that corrupts an unsigned attachment must not mask the good copy
    // the first thing that is done for a message, a duplicate included: whoever floods waits here
    msgIdFn: async ({ topic, data }) => {
      await pace.slice()
      return messageId(topic, data)
    },
    fallbackToFloodsub: false,
    floodPublish: false,
    doPX: false,
    D: MESH_DEGREE,
    Dlo: 5,
    // everybody wants to be a seed's neighbour, and each of them is a copy that the origin sends
    Dhi: seed ? MESH_DEGREE : MAX_MESH_DEGREE,
    Dout: 2,
    Dlazy: TOLD_PEERS,
    asyncValidation: true,
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    // a verdict that comes later than this many heartbeats passes nothing on
    mcacheLength: 12,
    mcacheGossip: TOLD_HEARTBEATS,
    seenTTL: limits.gossipSeenMs,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    // what a peer leaves unread is the watchdog's to judge, which gives it a few seconds; the muxer's bound would not
    maxOutboundBufferSize: Number.POSITIVE_INFINITY,
    // maxInboundDataLength stays unset: a lower bound for whole RPCs silently cuts honest links
    decodeRpcLimits: RPC_LIMITS,
    allowedTopics: new Set([topics.releases, topics.control]),
    scoreParams: {
      retainScore: RETAIN_SCORE_MS,
      IPColocationFactorWeight: 0,
      appSpecificWeight: 1,
      appSpecificScore: (peer) => (gate.has(peer as PeerId) ? 0 : -1000),
      topics: { [topics.releases]: topicScore(), [topics.control]: topicScore() },
    },
    scoreThresholds: {
      gossipThreshold: -100,
      publishThreshold: -500,
      graylistThreshold: -900,
      acceptPXThreshold: 1000,
      opportunisticGraftThreshold: 0,
    },
  }
}

/** RPCs of one connection, empty ones included, no faster than allowed and never many in one turn of the event loop. */
export function gossipInbound({
  pace,
  limits,
  unread,
}: Pick<GossipSettings, 'pace' | 'limits'> & { readonly unread: Unread }): Inbound {
  const throttle = new Throttle(limits.gossipRpcsPerSecond, limits.gossipRpcsBurst)
  return {
    admitDeadlineMs: limits.admitDeadlineMs,
    unread,
    turn: async (connection) => {
      const isHere = await throttle.take(connection, connection)
      await pace.slice()
      return isHere
    },
  }
}

export interface GossipParts {
  readonly pubsub: Pubsub
  readonly gate: Gate
  readonly seed: boolean
  readonly fleetId: FleetId
  readonly region: string
  readonly limits: Limits
  readonly misconduct: Misconduct
  readonly log: LogPort
  readonly sink: (event: TransportEvent) => void
}

export class Gossip {
  readonly #parts: GossipParts
  readonly #names: Readonly<Record<Topic, string>>
  readonly #maxBytes: Readonly<Record<Topic, number>>
  readonly #throttle: Throttle
  readonly #hold = relayHold()

  constructor(parts: GossipParts) {
    this.#parts = parts
    this.#names = topicNames(parts.fleetId, parts.region)
    const { maxReleasesGossipBytes, maxControlGossipBytes, gossipPerSecond, gossipBurst } = parts.limits
    this.#maxBytes = { releases: maxReleasesGossipBytes, control: maxControlGossipBytes }
    this.#throttle = new Throttle(2 * gossipPerSecond, 2 * gossipBurst)
  }

  start(): void {
    const { pubsub, seed, limits } = this.#parts
    keepCounts(pubsub.score)
    boundBackoffs(pubsub)
    readBeforeBlame(pubsub)
    tellOnceJudged(pubsub)
    if (seed) tellLater(pubsub)
    for (const topic of ['releases', 'control'] as const) {
      const name = this.#names[topic]
      pubsub.topicValidators.set(name, (peer, { data }) => this.#bounded(topic, peer, data))
      pubsub.subscribe(name)
    }
    pubsub.addEventListener('gossipsub:message', ({ detail }) => this.#received(detail))
    const watchClock = clockWatch()
    const sayAnew = sayNoMoreThanNoted(pubsub)
    pubsub.addEventListener('gossipsub:heartbeat', () => {
      watchClock(pubsub)
      sayAnew()
      forgetOldest(pubsub, limits.maxGossipSeen)
    })
  }

  /** Neighbours say that they have a message, and are heard before it is passed on. */
  verdict({ id, from, verdict, urgent }: EffectOf<'verdict'>): void {
    const { pubsub } = this.#parts
    const tell = () => pubsub.reportMessageValidationResult(id, from, VERDICTS[verdict])
    if (verdict !== 'accept' || urgent) tell()
    else this.#hold(() => afterReading(tell))
  }

  /** Nobody there to hear it is no failure: sync brings it to whoever comes later. */
  async publish({ topic, bytes }: EffectOf<'publish'>): Promise<void> {
    if (bytes.byteLength > this.#maxBytes[topic]) {
      const text = `own message of ${bytes.byteLength} bytes is over the limit of ${this.#maxBytes[topic]} on ${topic}`
      this.#note('error', 'LIMIT_BYTES', text)
      return
    }
    try {
      const { recipients } = await this.#parts.pubsub.publish(this.#names[topic], bytes)
      if (recipients.length === 0) this.#note('warn', 'NET_UNREACHABLE', `gossip on ${topic} reached no peer`)
    } catch (error) {
      const { message } = error as Error
      // said before in the same bytes: whoever listens has it; or nobody does, as in a region of one
      if (message.endsWith('.Duplicate') || message.endsWith('.NoPeersSubscribedToTopic')) return
      this.#note('debug', 'NET_UNREACHABLE', `gossip on ${topic} was not sent: ${message}`)
    }
  }

  meshPeers(topic: Topic): readonly PeerId[] {
    return this.#parts.pubsub.getMeshPeers(this.#names[topic]).sort() as PeerId[]
  }

  subscribers(topic: Topic): readonly PeerId[] {
    return this.#parts.pubsub.getSubscribers(this.#names[topic]).map(String).sort() as PeerId[]
  }

  /** Topics known from peers: never more than our own two, whatever they claim. */
  topicCount(): number {
    return this.#parts.pubsub.topics.size
  }

  /** Messages of which anything is remembered. */
  rememberedCount(): number {
    const { seenCache, score } = this.#parts.pubsub
    return Math.max(seenCache.entries.size, score.deliveryRecords.records.size)
  }

  score(peer: PeerId): number {
    return this.#parts.pubsub.getScore(peer)
  }

  /** gossipsub reads a peer's next message once this one is through: to be slow here slows the peer. */
  async #bounded(topic: Topic, peer: Libp2pPeerId, data: Uint8Array): Promise<TopicValidatorResult> {
    const { gate, misconduct } = this.#parts
    // of a flood that outlasts its connection the rest is held for as long as it is waited for
    const connection = gate.connectionOf(peer)
    if (this.#throttle.isEmpty(peer) && connection?.status !== 'open') return this.#unheard(topic, data)
    // One that goes while it waits said this while it was here, and what it said counts: others said it meanwhile, and were not
    // listened to, since it was known. Whoever hung up in time would hide it.
    await this.#throttle.take(peer, connection)
    if (data.byteLength <= this.#maxBytes[topic]) return TopicValidatorResult.Accept
    const text = `gossip on ${topic}: ${data.byteLength} bytes, at most ${this.#maxBytes[topic]} are allowed`
    // of one that is gone nobody would forget what was logged
    if (gate.hears(peer)) misconduct.report(peer.toString() as PeerId, new MeshError('LIMIT_BYTES', text))
    return TopicValidatorResult.Reject
  }

  /** Nobody looked at it: from others it is news. */
  #unheard(topic: Topic, data: Uint8Array): TopicValidatorResult {
    forget(this.#parts.pubsub, messageId(this.#names[topic], data))
    return TopicValidatorResult.Ignore
  }

  #received({ propagationSource, msgId, msg }: GossipMessage): void {
    const topic = msg.topic === this.#names.releases ? 'releases' : 'control'
    const from = propagationSource.toString() as PeerId
    this.#parts.sink({ kind: 'gossip', topic, from, id: msgId, bytes: msg.data })
  }

  #note(level: 'debug' | 'warn' | 'error', code: 'LIMIT_BYTES' | 'NET_UNREACHABLE', text: string): void {
    this.#parts.log.note({ kind: 'note', level, code, text })
  }
}
