import { isIP } from 'node:net'
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import { hostAndPort, ofHostPort } from '../net/address.ts'
import { ofAnother } from '../net/announced.ts'
import { LONGEST_TIMER_MS } from '../runtime/ports.ts'
import { type FileConfig, MOST_MS } from './config-schema.ts'

/** Where a setting was made, for the beginning of an error: file and line, as near as it can be said. */
export type Where = (path: readonly PropertyKey[]) => string

/** What the schema cannot say of one key alone. @throws MeshError CONFIG_INVALID, CONFIG_API_PUBLIC, naming the line */
export function checkSettings(config: FileConfig, where: Where): void {
  for (const key of ['listen', 'announce'] as const)
    for (const [index, address] of config[key].entries()) checkAddress(key, address, where([key, index]))
  checkApi(config, where(['api', 'listen']))
  for (const [index, host] of config.api.hosts.entries()) checkHost(host, where(['api', 'hosts', index]))
  checkActivation(config, where)
}

/** The form alone: what stands in it is read by `hostAndPort`. */
const ADDRESS =
  /^\/(?:ip[46]\/[\da-f.:]+|dns[46]?\/[\w.-]{1,253})\/tcp\/\d{1,5}(?:\/p2p\/[1-9A-HJ-NP-Za-km-z]{1,64})?$/i
/** The unspecified ones, and those that hold on one link alone. */
const NOT_ANNOUNCED = /^(0\.0\.0\.0|::|fe[89ab][\da-f]:.*)$/
const EXAMPLES = {
  listen: '/ip4/0.0.0.0/tcp/7400 or /ip6/::/tcp/7400',
  announce: '/ip4/192.0.2.7/tcp/7400 or /dns4/node1.example.net/tcp/7400',
} as const

function checkAddress(key: keyof typeof EXAMPLES, address: string, place: string): void {
  let at: ReturnType<typeof hostAndPort> | undefined
  let reason = ''
  try {
    if (ADDRESS.test(address)) at = hostAndPort(address)
  } catch (error) {
    reason = ` (${(error as Error).message})`
  }
  if (at === undefined) {
    const form = ofHostPort(address) ?? EXAMPLES[key]
    throw invalid(place, key, `"${address}" is no TCP multiaddr${reason}; write it as ${form}`)
  }
  if (key === 'announce' && (at.port === 0 || NOT_ANNOUNCED.test(at.host))) {
    const advice = `write what others reach it at, as ${EXAMPLES.announce}, or leave announce out`
    throw invalid(place, key, `"${address}" leads no other host here; ${advice}`)
  }
}

/** The peer id in a line may be that of the host from which it was copied. @throws MeshError CONFIG_INVALID */
export function checkOwnId({ announce }: Pick<FileConfig, 'announce'>, self: PeerId): void {
  const other = ofAnother(announce, self)
  if (other === undefined) return
  const what = `"${other}" names another peer than this node, ${self}; write it without /p2p/…`
  throw new MeshError('CONFIG_INVALID', `announce: ${what}`, { key: `announce.${announce.indexOf(other)}` })
}

function checkApi({ api }: FileConfig, place: string): void {
  const { listen, tokenFile } = api
  if (listen.startsWith('unix:')) return
  const host = /^(.*):(\d{1,5})$/.exec(listen)?.[1]
  if (host === undefined || Number(listen.slice(host.length + 1)) > 65_535)
    throw invalid(place, 'api.listen', `"${listen}" is neither HOST:PORT nor unix:/path`)
  if (host.includes(':') && !/^\[.*\]$/.test(host)) {
    const port = listen.slice(host.length + 1)
    throw invalid(place, 'api.listen', `"${listen}": write an IPv6 address as [${host}]:${port}`)
  }
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host)
  if (loopback || api.public || tokenFile !== undefined) return
  throw new MeshError(
    'CONFIG_API_PUBLIC',
    `${place}: api.listen: ${listen} can be reached from other hosts; set api.tokenFile, or api.public: true if everyone may read`,
    { key: 'api.listen' },
  )
}

const READABLE_BY_OTHERS = 0o004

/** Files that are kept from other users of this host, whom the API gives them. @returns what to say of it, if so */
export function openBeside({
  materialize,
  api,
}: Pick<FileConfig, 'materialize' | 'api'>): string | undefined {
  const mode = materialize?.mode
  if (mode === undefined || (Number.parseInt(mode, 8) & READABLE_BY_OTHERS) !== 0) return undefined
  if (api.listen.startsWith('unix:') || api.tokenFile !== undefined || api.public) return undefined
  return `materialize.mode ${mode} keeps files from other users of this host, and api.listen ${api.listen} gives them to each of these; set api.tokenFile, or unix:/PATH in a folder that they may not enter`
}

/** What stands before the port in a Host header: an entry with more than that would match none. */
function checkHost(host: string, place: string): void {
  if (isIP(host) !== 0 || /^[\w.-]+$/.test(host)) return
  const form = 'write a host name alone, such as node1.example.net'
  throw invalid(place, 'api.hosts', `"${host}" is no host name; ${form}`)
}

/** Without files there is no activation to follow: what should run after it would never run, and nobody would hear. */
function checkActivation({ materialize, hooks, health }: FileConfig, where: Where): void {
  if (materialize !== undefined) return
  const why = 'runs after files were written; set materialize.dir, or take it out'
  if (hooks.length > 0) throw invalid(where(['hooks']), 'hooks', why)
  if (health.command !== undefined) throw invalid(where(['health', 'command']), 'health.command', why)
}

/** So much in a time, fractions too: 0.05 a second is three a minute. */
const RATE = /Per(Second|Minute)$/
/** Of these one can do without: what is at least wanted, kept beside what is needed, or cached. */
const NONE_WILL_DO = /^(min|keep)|^outsideDegree$|^max(Cache|CheckedStore)Bytes$/

/** Bounded as their own keys are. */
const OF_COMMANDS = new Set(['hookTimeoutMs', 'healthTimeoutMs', 'soakMs'])
/** No timer runs for these: dates are compared. */
const OF_DATES = new Set(['admitSkewMs', 'expiryWarnMs', 'dialledWithinMs'])

/** A count, width or time of 0 would not bound the work but end it, in silence. @throws MeshError CONFIG_INVALID */
export function checkLimit(name: string, value: number, place: string): void {
  if (RATE.test(name)) return
  const least = NONE_WILL_DO.test(name) ? 0 : 1
  if (!Number.isSafeInteger(value) || value < least)
    throw invalid(place, `limits.${name}`, `must be a whole number of at least ${least}`)
  const mostMs = OF_COMMANDS.has(name) ? MOST_MS : LONGEST_TIMER_MS
  if (name.endsWith('Ms') && !OF_DATES.has(name) && value > mostMs)
    throw invalid(place, `limits.${name}`, `must be ${mostMs} at most`)
  // Clients leave after three times as long as it is by itself, each of them, over and over: one may be so long under way.
  const most = 2 * LIMITS.watchHeartbeatMs
  if (name === 'watchHeartbeatMs' && value > most)
    throw invalid(place, `limits.${name}`, `must be ${most} at most: clients give up a watch that is silent`)
}

const invalid = (place: string, key: string, what: string): MeshError =>
  new MeshError('CONFIG_INVALID', `${place}: ${key}: ${what}`, { key })
