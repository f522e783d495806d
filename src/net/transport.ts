/** The transport port on libp2p: puts the parts together and hands each effect to the one it concerns. */
import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import { isMeshError, MeshError } from '../errors.ts'
import type { Address, PeerId } from '../model/ids.ts'
import type {
  EffectOf,
  MetricsPort,
  TransportEffect,
  TransportEvent,
  TransportPort,
} from '../runtime/ports.ts'
import { diallable } from './address.ts'
import { announced, asWritten } from './announced.ts'
import { Answerer } from './answerer.ts'
import { Asker } from './asker.ts'
import { Connections } from './connections.ts'
import { dial } from './dialling.ts'
import { Gate } from './gate.ts'
import { Gossip, type Topic } from './gossip.ts'
import { createHost, type Host, type Station } from './host.ts'
import { peerIdOf } from './identity.ts'
import { type CountBytes, createMeter } from './meter.ts'
import { Misconduct } from './misconduct.ts'
import { Pace } from './pace.ts'
import { PROTOCOLS, protocolRules } from './protocols.ts'
import { forgetPeer, rememberedPeers, rememberPeer } from './remembered-peers.ts'
import { Silence } from './silence.ts'
import { Unread } from './unread.ts'
import { Watchdog } from './watchdog.ts'

export interface TransportOptions extends Station {
  readonly metrics: MetricsPort & {
    /** For `confmesh_network_sent_bytes_total` and `…_received_…`: every byte on libp2p's connections. */
    readonly networkBytes: CountBytes
  }
}

export interface Transport extends TransportPort {
  readonly peerId: PeerId
  /** What others can dial, once started. */
  addresses(): readonly Address[]
  /** Where it listens, whatever it announces; once started. */
  listening(): readonly Address[]
  /** Records kept by `rememberPeer` in earlier runs, newest first; once started. */
  rememberedPeers(): Promise<readonly Uint8Array[]>
  /** Peers we exchange whole messages with on a topic. */
  meshPeers(topic: Topic): readonly PeerId[]
  /** Peers known to listen to a topic. */
  subscribers(topic: Topic): readonly PeerId[]
  /** Topics gossipsub holds anything for: a flood of subscriptions must not show here. */
  topicCount(): number
  /** Gossip messages of which anything is remembered. */
  rememberedCount(): number
  /** gossipsub's opinion of a peer: below 0 it has misbehaved. */
  score(peer: PeerId): number
}

/** The parts of a running transport; they live from `start` to `stop`. */
interface Parts {
  readonly host: Host
  readonly connections: Connections
  readonly gossip: Gossip
  readonly asker: Asker
  readonly answerer: Answerer
  readonly watchdog: Watchdog
  readonly silence: Silence
  readonly sink: (event: TransportEvent) => void
}

/** @throws MeshError CONFIG_KEY; nothing is opened before `start` */
export function createTransport(options: TransportOptions): Transport {
  const peerId = peerIdOf(options.identityPem)
  let parts: Parts | undefined
  let stopped = false

  return {
    peerId,
    addresses: () => (parts === undefined ? [] : addressesOf(parts.host, options, peerId)),
    listening: () => (parts === undefined ? [] : diallable(parts.host.listening(), peerId)),
    rememberedPeers: async () =>
      parts === undefined ? [] : rememberedPeers(parts.host, options.limits, options.log),
    meshPeers: (topic) => parts?.gossip.meshPeers(topic) ?? [],
    subscribers: (topic) => parts?.gossip.subscribers(topic) ?? [],
    topicCount: () => parts?.gossip.topicCount() ?? 0,
    rememberedCount: () => parts?.gossip.rememberedCount() ?? 0,
    score: (peer) => parts?.gossip.score(peer) ?? 0,
    /** @throws MeshError NET_LISTEN, STORE_LOCKED, STORE_FAILED */
    async start(sink) {
      parts = await startParts(options, peerId, (event) => {
        // nothing is heard of a transport that stops
        if (!stopped) sink(event)
      })
    },
    perform(effect) {
      if (parts !== undefined) perform(parts, options, peerId, effect)
    },
    replyBlock(id, bytes) {
      const message = bytes === undefined ? { type: 'gone' as const } : { type: 'block' as const, bytes }
      parts?.answerer.reply({ kind: 'reply', id, reply: { protocol: 'blocks', message } })
      return parts?.answerer.ended(id)
    },
    async stop() {
      const stopping = parts
      parts = undefined
      stopped = true
      if (stopping !== undefined) await stopParts(stopping, options)
    },
  }
}

const addressesOf = (host: Host, { announce }: TransportOptions, self: PeerId) =>
  announce.length > 0 ? asWritten(announce, self) : announced(host.listening(), self)

async function startParts(
  options: TransportOptions,
  self: PeerId,
  sink: (event: TransportEvent) => void,
): Promise<Parts> {
  const { limits, log, metrics, fleetId, region } = options
  const rules = protocolRules(limits)
  const gate = new Gate()
  const pace = new Pace(limits)
  const unread = new Unread(limits, log)
  const misconduct = new Misconduct(log, metrics, sink)
  const connections = new Connections({ self, limits, gate, misconduct, log, sink })
  const silence = new Silence(limits)
  const meter = createMeter(metrics.networkBytes, (connection) => silence.watch(connection))
  const host = await createHost({ ...options, gate, pace, unread, meter, gater: connections.gater })
  const { current, isCurrent } = connections
  const asker = new Asker({
    ...{ rules, limits, unread, seed: options.seed, misconduct, log, sink, current },
    bytesFrom: (connection) => silence.bytesFrom(connection),
  })
  const answerer = new Answerer({ rules, limits, gate, pace, unread, misconduct, log, sink, isCurrent })
  const gossip = new Gossip({
    ...{ pubsub: host.pubsub, gate, seed: options.seed },
    ...{ fleetId, region, limits, misconduct, log, sink },
  })
  const hangUp = (peer: PeerId) => connections.hangUp(peer, 'done')
  const watchdog = new Watchdog({ gate, pubsub: host.pubsub, limits, log, hangUp })
  for (const protocol of PROTOCOLS) {
    const { id, maxStreams } = rules[protocol]
    const streams = { maxInboundStreams: maxStreams, maxOutboundStreams: maxStreams }
    await host.node.handle(id, answerer.handler(protocol), streams)
  }
  connections.start(host.node, { asker, answerer })
  await host.start()
  gossip.start()
  watchdog.start()
  silence.start()
  return { host, connections, gossip, asker, answerer, watchdog, silence, sink }
}

function perform(parts: Parts, options: TransportOptions, self: PeerId, effect: TransportEffect): void {
  switch (effect.kind) {
    case 'verdict':
      parts.gossip.verdict(effect)
      break
    case 'publish':
      void parts.gossip.publish(effect)
      break
    case 'request':
      parts.asker.ask(effect)
      break
    case 'reply':
      parts.answerer.reply(effect)
      break
    case 'admit':
      parts.connections.admit(effect)
      break
    case 'dial':
      void dialOut(parts, options, self, effect)
      break
    case 'hangUp':
      void parts.connections.hangUp(effect.peer, effect.code)
      break
    case 'rememberPeer':
    case 'forgetPeer':
      void remember(parts, options, effect)
      break
  }
}

/** Success shows as `connected`. */
async function dialOut(
  { host, sink }: Parts,
  { limits, log }: TransportOptions,
  self: PeerId,
  { address }: EffectOf<'dial'>,
): Promise<void> {
  try {
    if (address.endsWith(`/p2p/${self}`))
      throw new MeshError('NET_DUPLICATE_ID', `${address} names this very node`)
    await dial(host.node, address, limits.dialDeadlineMs)
  } catch (error) {
    const { code, message } = isMeshError(error) ? error : new MeshError('INTERNAL', String(error))
    // The core says it of another peer that answers: it knows whether somebody wrote the address.
    if (code !== 'NET_PEER_ID') log.note({ kind: 'note', level: 'debug', code, text: message })
    sink({ kind: 'dialFailed', address, code, text: message })
  }
}

async function remember(
  { host }: Parts,
  options: TransportOptions,
  effect: EffectOf<'rememberPeer' | 'forgetPeer'>,
): Promise<void> {
  try {
    if (effect.kind === 'forgetPeer') await forgetPeer(host.node, effect)
    else await rememberPeer(host.node, effect, options.limits)
  } catch (error) {
    const text = `peer record not ${effect.kind === 'forgetPeer' ? 'dropped' : 'kept'}: ${(error as Error).message}`
    options.log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text, peer: effect.peer })
  }
}

/** Own work first: libp2p does not wait for handlers. Within the deadline, or what is left is left to the process's end. */
async function stopParts(parts: Parts, { limits, log }: TransportOptions): Promise<void> {
  parts.watchdog.stop()
  parts.silence.stop()
  parts.connections.stop()
  parts.answerer.stop()
  parts.asker.stop()
  const stopped = parts.host.stop().then(() => true)
  const timeUp = setTimeoutAsync(limits.stopTimeoutMs, false, { ref: false })
  if (await Promise.race([stopped, timeUp])) return
  const text = `connections did not close within ${limits.stopTimeoutMs} ms`
  log.note({ kind: 'note', level: 'warn', code: 'NET_TIMEOUT', text })
  stopped.catch((error: unknown) => {
    log.note({ kind: 'note', level: 'warn', code: 'INTERNAL', text: `network not stopped: ${String(error)}` })
  })
}
