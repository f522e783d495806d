import { once } from 'node:events'
import { constants, readFileSync } from 'node:fs'
import { access, lstat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, sep } from 'node:path'
import { isServed, lengthProblem } from '../../api/socket-path.ts'
import { isMeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { FleetId } from '../../model/ids.ts'
import type { TrustRoot } from '../../model/root.ts'
import { parseAddress } from '../../net/address.ts'
import { ofAnother, unreachable } from '../../net/announced.ts'
import { dialPublisher, type PublishConnection } from '../../net/dial.ts'
import { IDENTITY_FILE, peerIdOf } from '../../net/identity.ts'
import { isLeftOut } from '../../net/listeners.ts'
import { nearestFolder } from '../../runtime/nearest-folder.ts'
import { startChain } from '../../trust/chain.ts'
import type { NodeConfig } from '../config.ts'
import type { SeedClock } from './clock.ts'
import { AS_ITS_USER, type Finding, fine, wrong } from './finding.ts'
import { isMissing } from './keys.ts'
import { newestRoot } from './root.ts'
import type { StoreState } from './store.ts'

interface Place {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Of IPv6 alone, as libp2p listens there: or `::` would be in use wherever `0.0.0.0` is. */
  readonly ipv6Only: boolean
}

/** Each fixed port, and the API's socket, can be listened on; while the node runs, it is the node that listens there. */
export async function checkPorts(config: NodeConfig, state: StoreState): Promise<readonly Finding[]> {
  const { listen } = config.api
  const isIPv4Too = config.listen.some((address) => address.startsWith('/ip4/'))
  const ports = placesOf(config).map(async (place) => {
    const check = `port ${place.name}`
    const problem = await portProblem(place)
    if (isIPv4Too && isLeftOut(place.name, problem))
      return fine(check, `left out, as this host has no IPv6 (${problem})`)
    return judge(check, problem, state)
  })
  if (!listen.startsWith('unix:')) return Promise.all(ports)
  const made = [config.data, config.materialize?.dir, config.floorDir].filter((dir) => dir !== undefined)
  const socket = socketProblem(listen.slice('unix:'.length), made)
  return Promise.all([...ports, socket.then((problem) => judge(`api ${listen}`, problem, state))])
}

function placesOf({ listen, api }: NodeConfig): readonly Place[] {
  const places = listen.flatMap((address) => {
    const match = /^\/(ip4|ip6)\/([^/]+)\/tcp\/(\d+)$/.exec(address)
    if (match === null) return []
    return [{ name: address, host: match[2] as string, port: Number(match[3]), ipv6Only: match[1] === 'ip6' }]
  })
  const own = /^(.*):(\d+)$/.exec(api.listen)
  if (own !== null && !api.listen.startsWith('unix:')) {
    const host = (own[1] as string).replace(/^\[|\]$/g, '')
    places.push({ name: `api ${api.listen}`, host, port: Number(own[2]), ipv6Only: false })
  }
  return places.filter(({ port }) => port !== 0)
}

/** Why nothing can listen there; undefined where it can. */
async function portProblem({ host, port, ipv6Only }: Place): Promise<string | undefined> {
  const server = createServer()
  try {
    server.listen({ host, port, ipv6Only, exclusive: true })
    await once(server, 'listening')
    server.close()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message
  }
}

/**
 * As `portProblem`. What a dead process left goes at the start.
 * @param made folders that the node makes before it listens
 */
async function socketProblem(path: string, made: readonly string[]): Promise<string | undefined> {
  const tooLong = lengthProblem(path)
  if (tooLong !== undefined) return tooLong
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined && !found.isSocket()) return 'is there already and no socket'
  if (found !== undefined && (await isServed(path))) return 'EADDRINUSE'
  const own = dirname(path)
  const isMade = made.some((dir) => own === dir || own.startsWith(`${dir}${sep}`))
  const folder = isMade ? await nearestFolder(own) : own
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => undefined,
    ({ code }: NodeJS.ErrnoException) => `${folder}: ${code}`,
  )
}

function judge(check: string, problem: string | undefined, state: StoreState): Finding {
  if (problem === undefined && state !== 'running') return fine(check, 'free')
  if (problem === undefined)
    return wrong(
      check,
      'a node is running, but not listening here',
      'was the configuration changed? Restart it',
    )
  if (problem === 'EADDRINUSE' && state === 'running') return fine(check, 'in use, as the node is running')
  if (problem === 'EADDRINUSE' && state === 'unknown')
    return wrong(check, 'in use, by the node perhaps', AS_ITS_USER)
  const advice = problem === 'EADDRINUSE' ? 'stop what holds it, or choose another' : 'choose another address'
  return wrong(check, problem, advice)
}

/** Others have an address to dial it at; whether they come through to it cannot be seen from here. */
export function checkAnnounced(config: NodeConfig): Finding {
  const check = 'announced address'
  const found = unreachable(config)
  if (found !== undefined) return wrong(check, found.text, found.advice)
  const { announce } = config
  const other = announcedOfAnother(config)
  if (other !== undefined)
    return wrong(check, `${other} names another peer than this node`, 'write it without /p2p/…')
  return fine(check, announce.length > 0 ? announce.join(', ') : 'what it listens on')
}

function announcedOfAnother({ announce, data }: NodeConfig): string | undefined {
  const named = announce.filter((address) => address.includes('/p2p/'))
  if (named.length === 0) return undefined
  const identity = join(data, IDENTITY_FILE)
  // Its own id is made at the first start, and is none that somebody wrote before.
  if (isMissing(identity)) return named[0]
  try {
    return ofAnother(named, peerIdOf(readFileSync(identity, 'utf8')))
  } catch {
    return undefined // what is wrong with the identity is said by name
  }
}

/**
 * Each seed answers within the dial's deadline, proves to be the peer it is said to be, and has the root of this node's
 * fleet; it says what its clock shows.
 */
export async function checkSeeds(
  config: NodeConfig,
): Promise<{ readonly findings: readonly Finding[]; readonly clocks: readonly SeedClock[] }> {
  const { seeds, submit } = config
  if (seeds.length === 0) {
    const none = submit
      ? fine('seeds', 'none is named; this is a seed itself')
      : wrong('seeds', 'none is named', 'name one in `seeds`: a node without finds nobody')
    return { findings: [none], clocks: [] }
  }
  // A root that cannot be used is said elsewhere.
  const root = await newestRoot(config).catch(() => undefined)
  const asked = await Promise.all(seeds.map((address) => checkSeed(config, address, root)))
  return {
    findings: asked.map(({ finding }) => finding),
    clocks: asked.map(({ clock }) => clock).filter((clock) => clock !== undefined),
  }
}

async function checkSeed(
  { limitsInForce: limits }: NodeConfig,
  address: string,
  root: TrustRoot | undefined,
): Promise<{ readonly finding: Finding; readonly clock?: SeedClock | undefined }> {
  const check = `seed ${address}`
  const begin = performance.now()
  try {
    const connection = await dialPublisher(parseAddress(address), { limits })
    try {
      const text = `answers, ${Math.round(performance.now() - begin)} ms`
      const clock = await clockOf(connection, limits)
      const other = root === undefined ? undefined : await otherFleet(connection, root, limits)
      if (other === undefined) return { finding: fine(check, text), clock }
      const misplaced = `is of fleet ${other.slice(0, 12)}, and root.json here of ${root?.fleetId.slice(0, 12)}`
      const advice = "name a seed of this node's fleet, or take the root.json that its own handed out"
      return { finding: wrong(check, misplaced, advice) }
    } finally {
      await connection.close()
    }
  } catch (error) {
    if (!isMeshError(error)) throw error
    return { finding: wrong(check, `${error.code}: ${error.message}`, adviceFor(error.code)) }
  }
}

/** By the answer to a question that costs a seed nothing: for a root that cannot be there yet. */
async function clockOf(connection: PublishConnection, limits: Limits): Promise<SeedClock | undefined> {
  const [sentMs, begin] = [Date.now(), performance.now()]
  const question = { type: 'roots', since: Number.MAX_SAFE_INTEGER - 1 } as const
  const reply = await connection.ask(question, limits.publishDeadlineMs)
  const tripMs = performance.now() - begin
  // A seed of an earlier build says none, one that is busy refuses.
  if (reply.type !== 'root' || reply.at === undefined) return undefined
  return { peer: connection.peer, aheadMs: sentMs + tripMs / 2 - reply.at, withinMs: tripMs / 2 }
}

/** Of which other fleet it is; undefined where that is ours, or where it has no root so new that would say so. */
async function otherFleet(
  connection: PublishConnection,
  root: TrustRoot,
  limits: Limits,
): Promise<FleetId | undefined> {
  const question = { type: 'roots', since: root.version - 1 } as const
  const reply = await connection.ask(question, limits.publishDeadlineMs)
  if (reply.type !== 'root' || reply.root === undefined) return undefined
  const { fleetId } = startChain(reply.root, limits).current
  return fleetId === root.fleetId ? undefined : fleetId
}

const adviceFor = (code: string): string =>
  code === 'NET_PEER_ID' || code === 'CONFIG_INVALID'
    ? "correct the address: `confmesh identity` on the seed's host prints its peer id"
    : 'is it running? Check address, port and firewall'
