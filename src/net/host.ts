/** The libp2p node itself: transports, limits, and the services gossip needs. */
import { rm } from 'node:fs/promises'
import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import { join } from 'node:path'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, Metrics } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { LevelDatastore } from 'datastore-level'
import { createLibp2p, type Libp2p } from 'libp2p'
import { isLockHeld, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId } from '../model/ids.ts'
import type { LogPort } from '../runtime/ports.ts'
import type { Gate } from './gate.ts'
import { gossipInbound, gossipOptions, type Pubsub } from './gossip.ts'
import { libp2pKey } from './identity.ts'
import { KeptPorts } from './kept-ports.ts'
import { ListenFailures, type Tcp } from './listeners.ts'
import { boundedYamux } from './muxer.ts'
import { nativeNoise } from './noise.ts'
import { noteProtocolsOnce } from './noted-protocols.ts'
import { type Closable, type Pace, Throttle } from './pace.ts'
import { guardPeerWrites } from './peer-writes.ts'
import type { Unread } from './unread.ts'

const HOUR_MS = 3_600_000
/** A name with several addresses over a slow link: Node's 250 ms for each is too short (nodejs/node#54359). */
const ADDRESS_ATTEMPT_MS = 2_000

/** Dials taken from one host in a second. */
export const DIALS_PER_SECOND = { node: 50, seed: 200 } as const
/** Links that end while others come already, and the second of two that crossed. */
export const MAX_PASSING = 32
/** Of our own, under way: as many as the core begins (limits.maxDialsUnderWay). */
export const MAX_DIALS = 16

/** What this node is in the network. */
export interface Station {
  /** PKCS#8 PEM, Ed25519. */
  readonly identityPem: string
  /** libp2p's peer store lies in `<dataDir>/peers`, and in it the ports of this node. */
  readonly dataDir: string
  readonly fleetId: FleetId
  /** One segment: the region whose topics this node is on. */
  readonly region: string
  /** Multiaddrs without a peer id, such as `/ip4/0.0.0.0/tcp/7400`. */
  readonly listen: readonly string[]
  /** Said to others instead of what we listen on; empty: that, with the addresses of this host's interfaces (`announced.ts`). */
  readonly announce: readonly string[]
  /** Takes many more connections. */
  readonly seed: boolean
  readonly limits: Limits
  readonly log: LogPort
}

/**
 * Connections in all, and sockets (those of a handshake, too). Strangers have places beside those of the peers: libp2p
 * refuses without a word, and a full node is to say that it is full, and a full seed to be published to.
 */
export function connectionsOf(role: keyof typeof DIALS_PER_SECOND, limits: Limits) {
  const { seedDegree, gatewayDegree, hardDegree, maxUnadmitted, maxHandshakes } = limits
  const peers = role === 'seed' ? seedDegree : Math.max(gatewayDegree, hardDegree)
  const connections = peers + maxUnadmitted + MAX_PASSING
  return { connections, sockets: connections + maxHandshakes }
}

export interface HostOptions extends Station {
  readonly gate: Gate
  readonly pace: Pace
  readonly unread: Unread
  readonly meter: Metrics
  readonly gater: ConnectionGater
}

export interface Host {
  readonly node: Libp2p
  readonly datastore: LevelDatastore
  readonly pubsub: Pubsub
  /** Where it listens, whatever it announces. */
  listening(): readonly Multiaddr[]
  /** Listening once this resolves. @throws MeshError NET_LISTEN */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Not listening yet, so that handlers are in place before the first stream. @throws MeshError STORE_LOCKED, STORE_FAILED */
export async function createHost(options: HostOptions): Promise<Host> {
  setDefaultAutoSelectFamilyAttemptTimeout(ADDRESS_ATTEMPT_MS)
  const datastore = await openPeerStore(join(options.dataDir, 'peers'), options.log)
  const ports = await KeptPorts.load(datastore, options.listen, options.log)
  const failures = new ListenFailures()
  const node = await createLibp2p({
    ...(await configuration(options, (make) => failures.noted(ports.firstOn(make)))),
    ...{ datastore, start: false },
  })
  guardPeerWrites(node, options.log)
  // What was noted waits for no disk.
  noteProtocolsOnce(node)
  const stop = async () => {
    await node.stop()
    await datastore.close()
  }
  return {
    node,
    datastore,
    pubsub: node.services.pubsub as unknown as Pubsub,
    listening: () => node.services.listeners.addresses(),
    start: async () => {
      try {
        await node.start()
        failures.settle(options.log)
      } catch (error) {
        await stop()
        throw listenError(options.listen, error)
      }
      await ports.save()
    },
    stop,
  }
}

async function configuration(options: HostOptions, listening: (make: Tcp) => Tcp) {
  const { seed, gate, limits } = options
  const role = seed ? 'seed' : 'node'
  const most = connectionsOf(role, limits)
  return {
    privateKey: await libp2pKey(options.identityPem),
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [listening(tcp({ backlog: 1024, maxConnections: most.sockets }))],
    connectionEncrypters: [nativeNoise()],
    streamMuxers: [boundedYamux(options.unread, limits, streamTurn(options))],
    connectionGater: options.gater,
    connectionManager: {
      maxConnections: most.connections,
      inboundConnectionThreshold: DIALS_PER_SECOND[role],
      // above `maxHandshakes`, which counts by address: this would turn away whoever comes next
      maxIncomingPendingConnections: most.sockets,
      inboundUpgradeTimeout: limits.handshakeDeadlineMs,
      maxParallelDials: MAX_DIALS,
      dialTimeout: limits.dialDeadlineMs,
      // 6 s of it otherwise, and each dial here is of one address
      addressDialTimeout: limits.dialDeadlineMs,
    },
    // Each of its pings is a stream of its own, and all connections are asked at once: `silence.ts` looks instead.
    connectionMonitor: { enabled: false },
    // What the core dials stands in the records of peers. A peer itself never ages: on quiet links nothing is written of it
    // again, and one start with a clock ahead would drop all. How many they are is bounded by the core's book.
    peerStore: { maxAddressAge: 24 * HOUR_MS, maxPeerAge: Number.POSITIVE_INFINITY },
    metrics: () => options.meter,
    services: {
      identify: identify(),
      ping: ping({ maxInboundStreams: 2, maxOutboundStreams: 2 }),
      pubsub: gate.gossipsub(gossipOptions(options), gossipInbound(options)),
      listeners,
    },
  }
}

/** What listens is known to libp2p's parts alone; the node itself says what is announced. */
const listeners = (parts: { readonly transportManager: { getAddrs(): Multiaddr[] } }) => ({
  addresses: () => parts.transportManager.getAddrs(),
})

function streamTurn({ pace, limits }: HostOptions): (connection: Closable) => Promise<void> {
  const throttle = new Throttle(limits.streamsPerSecond, limits.streamsBurst)
  return async (connection) => {
    await throttle.take(connection, connection)
    await pace.slice()
  }
}

/** Damaged, or a file of it is gone, or there is no room to open it. */
const UNUSABLE = /corrupt|missing files|no such file|no space left|quota exceeded/i

/** libp2p's own memory of peers. An unusable one is begun anew: seeds bring what was in it. */
async function openPeerStore(dir: string, log: LogPort): Promise<LevelDatastore> {
  try {
    return await openedDatastore(dir)
  } catch (error) {
    const { message } = error as Error
    if (!UNUSABLE.test(message)) throw error
    log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text: `${message}; begun anew` })
    await rm(dir, { recursive: true, force: true })
    return await openedDatastore(dir)
  }
}

/** @throws MeshError STORE_LOCKED, STORE_FAILED */
async function openedDatastore(dir: string): Promise<LevelDatastore> {
  const datastore = new LevelDatastore(dir)
  try {
    // the database itself, since the datastore's own `open` drops the reason of a failure
    await datastore.db.open()
    return datastore
  } catch (error) {
    const reason = ((error as Error).cause ?? error) as Error
    const locked = isLockHeld(reason)
    const text = locked
      ? `${dir} is in use by another node; stop it first`
      : `${dir} cannot be opened: ${reason.message}`
    throw new MeshError(locked ? 'STORE_LOCKED' : 'STORE_FAILED', text, { dir }, { cause: error })
  }
}

const adviceFor = (reason: string): string =>
  reason.startsWith('EACCES')
    ? 'ports below 1024 are for root or CAP_NET_BIND_SERVICE: choose one from 1024 on'
    : reason.startsWith('EADDRNOTAVAIL')
      ? 'it is none of this host; set listen to one that is, or to /ip4/0.0.0.0, and announce what others reach'
      : 'correct listen'

function listenError(listen: readonly string[], error: unknown): MeshError {
  const { message, cause } = error as Error & { errors?: readonly Error[] }
  const inner =
    (error as AggregateError).errors?.map(String).join('; ') ?? (cause instanceof Error ? cause.message : '')
  const all = inner === '' ? message : `${message} (${inner})`
  const taken = /EADDRINUSE: address already in use (\S+)/.exec(all)
  // libp2p's text is its own advice and a stack for every address; of it people need what the system said.
  const reason = /listen (E[A-Z]+: [^\n]+)/.exec(all)?.[1]?.trim() ?? all
  const text =
    taken === null
      ? `cannot listen on ${listen.join(', ')}: ${reason}; ${adviceFor(reason)}`
      : `listen: ${taken[1]} is in use; stop the other process or set listen`
  return new MeshError('NET_LISTEN', text, {}, { cause: error })
}
