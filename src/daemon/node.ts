import { readFileSync } from 'node:fs'
import { createActivator, createMarkOnly } from '../activate/activator.ts'
import { type ApiServer, startApi } from '../api/server.ts'
import type { CoreConfig } from '../core/config.ts'
import { createNode, type NodeCore } from '../core/node.ts'
import type { Session } from '../core/session.ts'
import type { CoreFacts } from '../core/view.ts'
import { isMeshError, MeshError } from '../errors.ts'
import { regionIn, zoneIn } from '../model/certificate.ts'
import type { Address, Channel, FleetId, Name } from '../model/ids.ts'
import { parsePattern } from '../model/names.ts'
import { unreachable } from '../net/announced.ts'
import { parseAddress } from '../net/dial.ts'
import { type Identity, loadOrCreateIdentity } from '../net/identity.ts'
import { createTransport, type Transport } from '../net/transport.ts'
import { createDriver } from '../runtime/driver.ts'
import { endAll } from '../runtime/end-all.ts'
import type { ActivatorPort, ClockPort, LogPort, StorePort } from '../runtime/ports.ts'
import { systemClock } from '../runtime/system-clock.ts'
import { LevelStore } from '../store/level.ts'
import { signHeartbeat } from '../trust/heartbeat.ts'
import { signPeerRecord } from '../trust/peer-record.ts'
import { privateKeyFromPem } from '../trust/private-key.ts'
import type { NodeConfig } from './config.ts'
import { checkOwnId, openBeside } from './config-checks.ts'
import { createContent, lacking } from './content.ts'
import { certifiedLabels, chainExpires, ownChain, readPrivateKey, readRoot } from './documents.ts'
import { fleetOf, foldersOf, makeFolders } from './folders.ts'
import { heard, type OnContent } from './heard.ts'
import { createLogger, logPort } from './log.ts'
import { createMetrics, type GossipNumbers, type NodeMetrics } from './metrics.ts'
import { closeToGroup } from './own-keys.ts'
import { signedToFit, signedWhenChanged } from './own-record.ts'
import { tokenProblem } from './token.ts'
import { type CoreNow, createView, type DaemonView } from './view.ts'

export interface Ready {
  readonly peerId: string
  /** Can be dialled as they are. */
  readonly addresses: readonly string[]
  readonly api: string
}

export interface RunningNode {
  readonly ready: Ready
  /** Resolved once the node cannot go on; whoever runs it stops it. */
  readonly failed: Promise<MeshError>
  stop(): Promise<void>
  /** What a stop waits for. */
  stopping(): string
}

/** Work to undo, last first: whatever fails in between leaves nothing open. */
type Undo = (at: (what: string) => void) => Promise<void> | void
type OnEnd = (error: MeshError) => void

interface Composing {
  readonly config: NodeConfig
  readonly version: string
  readonly undo: Undo[]
  readonly onEnd: OnEnd
  readonly onContent: OnContent | undefined
}

/**
 * Composes a node from its configuration and starts it: store, core, network, files, HTTP. Its reads and writes share the
 * process's threads, of which Node has four: more, `UV_THREADPOOL_SIZE` of them, are better where a disk may be slow.
 * @param onContent told of the bytes of each block that came, was wanted and is right
 * @throws MeshError of configuration, store, network or HTTP; nothing is left open then
 */
export async function startNode(
  config: NodeConfig,
  version: string,
  onContent?: (bytes: number) => void,
): Promise<RunningNode> {
  const undo: Undo[] = []
  // HTTP is undone first
  let waitsFor = 'HTTP'
  const at = (what: string): void => {
    waitsFor = what
  }
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    // last first
    stopped ??= endAll(undo.toReversed().map((step) => () => step(at)))
    return stopped
  }
  const failed = Promise.withResolvers<MeshError>()
  try {
    const ready = await compose({ config, version, undo, onEnd: failed.resolve, onContent })
    return { ready, failed: failed.promise, stop, stopping: () => waitsFor }
  } catch (error) {
    // Why it does not start is what counts, whatever else fails on the way back.
    await stop().catch(() => undefined)
    throw atItsLine(error, config.where)
  }
}

/** What a setting names is looked at only when it is used: where that is wrong, the setting's line is said all the same. */
function atItsLine(error: unknown, where: NodeConfig['where']): unknown {
  if (!isMeshError(error) || where === undefined) return error
  const { code, message, details } = error
  if (typeof details.key !== 'string') return error
  return new MeshError(code, `${where(details.key.split('.'))}: ${message}`, details, { cause: error })
}

async function compose({ config, version, undo, onEnd, onContent }: Composing): Promise<Ready> {
  const startedAtMs = performance.now()
  const [limits, patterns] = [config.limitsInForce, config.channels.map(parsePattern)]
  const root = readRoot(config.root, limits)
  const token = readToken(config.api)
  const fleetId = fleetOf(root, limits)
  const identity = await ownIdentity(config)
  const chain = ownChain(config, identity.peerId, limits)
  const labels = certifiedLabels(chain(Date.now()), limits)
  const logger = await createLogger(config.log.level)

  const metrics: NodeMetrics = createMetrics({
    region: regionIn(labels),
    view: () => core.view(clock.now()),
    store: () => store,
    certificateExpires: () => chainExpires(chain(Date.now()), limits),
    gossip: (sessions) => gossipOf(transport, sessions),
  })
  undo.push(() => metrics.stop())
  const log = logPort(logger, (code) => metrics.refused(code), config.limitsInForce)
  warnOfModes(config, identity.closed, log)
  const clock = systemClock()
  const store = new LevelStore({
    ...foldersOf(config, () => fleetId),
    fleetId,
    limits,
    log,
    emit: (event) => driver.dispatch(event),
    onGone: ended(log, onEnd),
  })
  const place = { region: regionIn(labels), zone: zoneIn(labels), chain, log }
  const transport = transportOf(config, identity, { fleetId, region: place.region }, log, metrics)
  const core = createNode(coreConfig(config, root, identity, place, () => transport.addresses()))
  const now = nowOf(core, clock)
  const content = createContent(store, limits, ({ id, header }) =>
    lacking(now.channelView(header.channel), id, now.release(id) !== undefined),
  )
  const view = createView({
    core: now,
    patterns,
    store,
    content,
    version,
    labels: config.labels,
    addresses: () => transport.addresses(),
    listening: () => transport.listening(),
    metrics: () => metrics.text(),
    startedAtMs,
    onProblem: unannounced(log),
  })
  const ports = { clock, store, transport, activator: await openActivator(config, store, log), metrics, log }
  const driver = createDriver(heard(core, view, onContent), ports, { ...limits, patterns })
  undo.push((at) => driver.stop(at))
  await driver.start()

  const api = await openApi(config, { view, version, token }, log)
  undo.push(() => api.stop())
  const addresses = transport.addresses()
  logger.info({ code: 'READY', peer: identity.peerId, addresses, api: api.url }, 'listening')
  return { peerId: identity.peerId, addresses, api: api.url }
}

/** Who this node is, and which of its keys a group could read until now. @throws MeshError CONFIG_INVALID, CONFIG_KEY */
async function ownIdentity(config: NodeConfig): Promise<Identity & { readonly closed: readonly string[] }> {
  await makeFolders(config)
  const closed = closeToGroup(config)
  const identity = await loadOrCreateIdentity(config.data)
  checkOwnId(config, identity.peerId)
  return { ...identity, closed }
}

/** Of what others than the node may read, or might have read. */
function warnOfModes(config: NodeConfig, closed: readonly string[], log: LogPort): void {
  for (const text of closed) log.note({ kind: 'note', level: 'warn', code: 'CONFIG_KEY_MODE', text })
  const open = openBeside(config)
  if (open !== undefined) log.note({ kind: 'note', level: 'warn', code: 'CONFIG_API_PUBLIC', text: open })
}

const ended = (log: LogPort, onEnd: OnEnd) => (error: MeshError) => {
  log.note({ kind: 'note', level: 'error', code: error.code, text: error.message })
  onEnd(error)
}

const unannounced = (log: LogPort) => (channel: Channel, error: unknown) => {
  const code = isMeshError(error) ? error.code : 'INTERNAL'
  const text = `watchers of ${channel} were not told of an activation: ${(error as Error).message}`
  log.note({ kind: 'note', level: 'warn', code, text })
}

const nowOf = (core: NodeCore & CoreFacts, clock: ClockPort): CoreNow => ({
  view: () => core.view(clock.now()),
  channelView: (channel) => core.channelView(channel, clock.now()),
  readiness: () => core.readiness(clock.now()),
  release: (release) => core.release(release),
  envelope: (release) => core.envelope(release),
})

const gossipOf = (transport: Transport, sessions: readonly Session[]): GossipNumbers => ({
  topics: transport.topicCount(),
  remembered: transport.rememberedCount(),
  meshPeers: {
    releases: transport.meshPeers('releases').length,
    control: transport.meshPeers('control').length,
  },
  scores: sessions.map(({ peer }) => transport.score(peer)),
})

function transportOf(
  config: NodeConfig,
  { pem }: Identity,
  place: { readonly fleetId: FleetId; readonly region: string },
  log: LogPort,
  metrics: NodeMetrics,
): Transport {
  const { data, listen, announce, submit, limitsInForce: limits } = config
  const found = unreachable(config)
  if (found !== undefined)
    log.note({ kind: 'note', level: 'warn', code: 'NET_LISTEN', text: `${found.text}; ${found.advice}` })
  return createTransport({
    identityPem: pem,
    dataDir: data,
    ...place,
    listen,
    announce,
    seed: submit,
    limits,
    log,
    metrics,
  })
}

function openApi(
  config: NodeConfig,
  {
    view,
    version,
    token,
  }: { readonly view: DaemonView; readonly version: string; readonly token: string | undefined },
  log: LogPort,
): Promise<ApiServer> {
  const { hosts, listen } = config.api
  return startApi(view, listen, {
    hosts,
    token,
    version,
    limits: config.limitsInForce,
    onProblem: (code, text) => log.note({ kind: 'note', level: 'warn', code, text }),
  })
}

function coreConfig(
  config: NodeConfig,
  root: Uint8Array,
  identity: Identity,
  { chain, region, zone, log }: Pick<CoreConfig, 'chain' | 'region' | 'zone'> & { readonly log: LogPort },
  addresses: () => readonly string[],
): CoreConfig {
  const limits = config.limitsInForce
  const patterns = config.channels.map(parsePattern)
  const key = privateKeyFromPem(identity.pem)
  const freshness =
    config.freshness === undefined ? undefined : readPrivateKey(config.freshness.key, 'freshness.key')
  const { peerId: peer } = identity
  const fixed = { v: 1, critical: [], peer, patterns, region, zone, submit: config.submit } as const
  const peerRecord = signedWhenChanged(
    addresses,
    chain,
    (own, links, at) => signPeerRecord({ ...fixed, addresses: own, chain: links, at }, key),
    limits,
  )
  return {
    self: identity.peerId,
    root,
    patterns,
    region,
    zone,
    submit: config.submit,
    gatewayLast: config.gateway === 'last',
    seeds: config.seeds.map(seedAddress),
    chain,
    ...(freshness === undefined
      ? {}
      : { signBeacon: { key: freshness.id, sign: (data: Uint8Array) => freshness.sign(data) } }),
    peerRecord,
    signHeartbeat: signedToFit(
      addresses,
      (own, at, stopgap) => {
        const said = { v: 1, critical: [], peer, region: region as Name, addresses: own, at } as const
        const shown = { ...said, chain: chain(Date.now()) }
        return signHeartbeat(stopgap === undefined ? shown : { ...shown, stopgap }, key)
      },
      limits,
      heartbeatTooLong(log),
    ),
    keepReleases: config.keepReleases,
    soakMs: config.health.soakMs,
    materialize: config.materialize !== undefined,
    random: Math.random,
    limits,
  }
}

/** @throws MeshError CONFIG_INVALID */
function seedAddress(text: string, index: number): Address {
  try {
    return parseAddress(text)
  } catch (error) {
    const key = `seeds.${index}`
    throw new MeshError('CONFIG_INVALID', `seeds: ${(error as Error).message}`, { key }, { cause: error })
  }
}

const heartbeatTooLong = (log: LogPort) => () => {
  const text =
    'this node does not stand for gateway: beside its certificate a heartbeat has no room for an address; give the pool or the node fewer or shorter labels'
  log.note({ kind: 'note', level: 'warn', code: 'LIMIT_BYTES', text })
}

/** @throws MeshError CONFIG_INVALID (no such group), ACTIVATE_UNSAFE_DIR: at start, not at the first release */
async function openActivator(config: NodeConfig, store: StorePort, log: LogPort): Promise<ActivatorPort> {
  const { materialize, hooks, health, limitsInForce: limits } = config
  if (materialize === undefined) return createMarkOnly()
  const activator = createActivator({ ...materialize, hooks, health, store, limits, log })
  try {
    await activator.start()
  } catch (error) {
    if (!isMeshError(error) || error.code !== 'CONFIG_INVALID') throw error
    throw new MeshError(error.code, error.message, { key: 'materialize.group' }, { cause: error })
  }
  return activator
}

/** @throws MeshError CONFIG_UNREADABLE, CONFIG_INVALID */
function readToken({ tokenFile: path }: NodeConfig['api']): string | undefined {
  if (path === undefined) return undefined
  const key = 'api.tokenFile'
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new MeshError(
      'CONFIG_UNREADABLE',
      `api.tokenFile: ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}; name a file that the node may read`,
      { key },
    )
  }
  const problem = tokenProblem(text)
  if (problem === undefined) return text
  const { is, wanted } = problem
  throw new MeshError('CONFIG_INVALID', `api.tokenFile: ${path}: ${is}; a token has ${wanted}`, { key })
}
