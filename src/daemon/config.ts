import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  parse as parseYaml,
} from 'yaml'
import type { z } from 'zod'
import { MeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import { checkLimit, checkSettings, type Where } from './config-checks.ts'
import { CONFIG_SCHEMA, type FileConfig } from './config-schema.ts'
import { broken, told } from './limit-relations.ts'

/** The file's settings with everything that overrides them, paths absolute. */
export interface NodeConfig extends Omit<FileConfig, 'hooks' | 'health'> {
  readonly hooks: readonly (FileConfig['hooks'][number] & { readonly timeoutMs: number })[]
  readonly health: FileConfig['health'] & { readonly timeoutMs: number; readonly soakMs: number }
  readonly keepReleases: number
  /** The built-in limits with the file's own on top. */
  readonly limitsInForce: Limits
  /** Where a setting was made, for errors found later; absent where no file was read. */
  readonly where?: Where
}

/** Values that override the file: from the environment, then from the command line. Keys are dotted paths. */
export type Overrides = ReadonlyMap<string, string | readonly string[]>

const LISTS = new Set(['listen', 'announce', 'seeds', 'channels', 'api.hosts', 'health.command'])
const PATHS = [
  'root',
  'data',
  'floorDir',
  'admission.certificate',
  'admission.pool',
  'admission.poolKey',
  'freshness.key',
  'materialize.dir',
  'api.tokenFile',
]

/**
 * The configuration of a node: file, then environment twins (`CONFMESH_NODE_API_LISTEN`), then command line.
 * Paths are made absolute, relative to the file (those of overrides to the working directory).
 * @throws MeshError CONFIG_UNREADABLE, CONFIG_INVALID (names the line), CONFIG_API_PUBLIC
 */
export function loadConfig(file: string, environment: NodeJS.ProcessEnv, overrides: Overrides): NodeConfig {
  const { where, ...config } = readConfig(file, environment, overrides)
  checkRelations(config, where)
  return { ...config, where }
}

/**
 * The file of a node that runs elsewhere, for what it says: whether its limits go together is known where its environment
 * is, too.
 * @throws MeshError as `loadConfig`
 */
export const configIn = (file: string): NodeConfig => readConfig(file, {}, new Map())

function readConfig(
  file: string,
  environment: NodeJS.ProcessEnv,
  overrides: Overrides,
): NodeConfig & { readonly where: Where } {
  const { value, lineOf } = parse(file, readConfigFile(file))
  absolutePaths(value, dirname(resolve(file)))
  const overridden = new Map<string, string>()
  for (const [name, path, text] of environmentTwins(environment)) {
    if (path === 'hooks') value.hooks = hooksIn(name, text)
    else assign(value, path, text)
    overridden.set(path, name)
  }
  for (const [path, text] of overrides) {
    assign(value, path, text)
    overridden.set(path, 'command line')
  }
  absolutePaths(value, process.cwd())
  const where = placeIn(file, lineOf, overridden)

  const result = CONFIG_SCHEMA.safeParse(value)
  if (!result.success) throw invalid(result.error.issues[0], value, where)
  checkSettings(result.data, where)
  return { ...inForce(result.data, mergeLimits(result.data.limits, where)), where }
}

/** What the file leaves open is as the limits have it. */
export const inForce = (file: FileConfig, limits: Limits): NodeConfig => ({
  ...file,
  ...timed(file, limits),
  ...kept(file, limits),
})

/** How long commands may take, and a release is watched, where their own keys do not say it. */
function timed({ hooks, health }: FileConfig, limits: Limits): Pick<NodeConfig, 'hooks' | 'health'> {
  const { hookTimeoutMs, healthTimeoutMs, soakMs } = limits
  return {
    hooks: hooks.map((hook) => ({ ...hook, timeoutMs: hook.timeoutMs ?? hookTimeoutMs })),
    health: { ...health, timeoutMs: health.timeoutMs ?? healthTimeoutMs, soakMs: health.soakMs ?? soakMs },
  }
}

/** What is kept beside the active release is found by the history: it has room for all that is to be kept. */
function kept(
  { keepReleases, submit }: FileConfig,
  limits: Limits,
): Pick<NodeConfig, 'keepReleases' | 'limitsInForce'> {
  const keep = keepReleases ?? (submit ? limits.keepReleasesSeed : limits.keepReleases)
  return {
    keepReleases: keep,
    limitsInForce: { ...limits, maxHistory: Math.max(limits.maxHistory, keep) },
  }
}

/** What overrode the file is to blame, not the line it overrode. */
function placeIn(file: string, lineOf: LineOf, overridden: ReadonlyMap<string, string>): Where {
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const by = overridden.get(path.slice(0, length).map(String).join('.'))
      if (by !== undefined) return by
    }
    const line = lineOf(path)
    return line === undefined ? file : `${file}:${line}`
  }
}

function readConfigFile(file: string): string {
  try {
    if (statSync(file).size > LIMITS.maxConfigBytes) {
      throw new MeshError(
        'CONFIG_INVALID',
        `${file}: larger than ${LIMITS.maxConfigBytes} bytes; a node's configuration is short`,
      )
    }
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof MeshError) throw error
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new MeshError(
      'CONFIG_UNREADABLE',
      `${file}: ${reason}; name a readable configuration file, such as one that 'confmesh init' wrote`,
    )
  }
}

type LineOf = (path: readonly PropertyKey[]) => number | undefined

function parse(file: string, text: string): { value: Record<string, unknown>; lineOf: LineOf } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const problem = document.errors[0]
  if (problem !== undefined) {
    const line = lines.linePos(problem.pos[0]).line
    throw new MeshError(
      'CONFIG_INVALID',
      `${file}:${line}: ${problem.message.split('\n')[0]?.replace(/ at line \d+.*$/, '') ?? 'not YAML'}`,
    )
  }
  if (document.contents === null)
    throw new MeshError('CONFIG_INVALID', `${file}: is empty; root and data at least are needed`)
  if (!isMap(document.contents))
    throw new MeshError('CONFIG_INVALID', `${file}: not a map of keys; see docs/operations.md`)
  // A few aliases are handy; a chain of them is a bomb, so yaml counts them.
  const value = plain(file, document)
  const lineOf: LineOf = (path) => {
    const start = startOf(document.contents, path)
    return start === undefined ? undefined : lines.linePos(start).line
  }
  return { value, lineOf }
}

/** Where the key (or the item of a list) begins that a path names, or the last of it that is there. */
function startOf(contents: unknown, path: readonly PropertyKey[]): number | undefined {
  let at = contents
  let start: number | undefined
  for (const part of path) {
    let named: unknown
    if (isMap(at)) {
      const pair = at.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))
      named = pair?.key
      at = pair?.value
    } else if (isSeq(at)) {
      named = at.items[Number(part)]
      at = named
    }
    const range = (named as Node | undefined)?.range
    if (!range) break
    start = range[0]
  }
  return start
}

function plain(file: string, document: Document): Record<string, unknown> {
  try {
    return document.toJS({ maxAliasCount: 32 }) as Record<string, unknown>
  } catch (error) {
    throw new MeshError('CONFIG_INVALID', `${file}: ${(error as Error).message}`)
  }
}

function invalid(
  issue: z.core.$ZodIssue | undefined,
  value: Record<string, unknown>,
  where: Where,
): MeshError {
  if (issue === undefined) return new MeshError('CONFIG_INVALID', `${where([])}: invalid`)
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = unknownKey === undefined ? issue.path : [...issue.path, unknownKey]
  const name = path.map(String).join('.')
  const what =
    unknownKey !== undefined
      ? 'unknown key; the keys are listed in docs/operations.md'
      : isMissing(value, path)
        ? 'is missing; the keys are listed in docs/operations.md'
        : issue.message
  return new MeshError('CONFIG_INVALID', `${where(path)}: ${name || 'configuration'}: ${what}`, { key: name })
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key]
  return at === undefined
}

function absolutePaths(value: Record<string, unknown>, base: string): void {
  for (const path of PATHS) {
    const [head, tail] = path.split('.') as [string, string | undefined]
    const holder = tail === undefined ? value : value[head]
    const key = tail ?? head
    if (holder === null || typeof holder !== 'object') continue
    const map = holder as Record<string, unknown>
    if (typeof map[key] === 'string' && map[key] !== '') map[key] = resolve(base, map[key])
  }
  const api = value.api as { listen?: unknown } | undefined
  if (typeof api?.listen === 'string' && api.listen.startsWith('unix:'))
    api.listen = `unix:${resolve(base, api.listen.slice(5))}`
}

const TWIN = 'CONFMESH_NODE_'
const HOST = '_SERVICE_HOST'
/** What Kubernetes puts into each container's environment for a service of its namespace, behind the service's name. */
const OF_A_SERVICE = /^(SERVICE_(HOST|PORT(_.*)?)|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$/

function* environmentTwins(
  environment: NodeJS.ProcessEnv,
): Iterable<[name: string, path: string, text: string]> {
  const names = Object.keys(environment).filter((name) => name.startsWith(TWIN))
  // One named `confmesh-node`, and `confmesh-node-0` and the like where their hosts are told.
  const services = names.flatMap((name) => (name.endsWith(HOST) ? [`${name.slice(0, -HOST.length)}_`] : []))
  const isOfAService = (name: string) =>
    [TWIN, ...services].some((its) => name.startsWith(its) && OF_A_SERVICE.test(name.slice(its.length)))
  for (const name of names) {
    const text = environment[name]
    if (text !== undefined && !isOfAService(name)) yield [name, dottedKey(name), text]
  }
}

const SCALARS = [
  'root',
  'data',
  'floorDir',
  'keepReleases',
  'submit',
  'gateway',
  'log.level',
  'api.listen',
  'api.public',
  'api.tokenFile',
  'freshness.key',
  'materialize.dir',
  'materialize.mode',
  'materialize.group',
  'admission.certificate',
  'admission.pool',
  'admission.poolKey',
  'health.timeoutMs',
  'health.soakMs',
  'labels.region',
  'labels.zone',
]
const LIMIT_KEYS = Object.entries(LIMITS).flatMap(([name, value]) =>
  typeof value === 'number' ? [`limits.${name}`] : [],
)
const KEYS_BY_TWIN = new Map([...SCALARS, ...LISTS, 'hooks', ...LIMIT_KEYS].map((key) => [twin(key), key]))

/** `api.tokenFile` → `CONFMESH_NODE_API_TOKEN_FILE`. */
function twin(key: string): string {
  return `${TWIN}${key
    .replace(/([A-Z])/g, '_$1')
    .replaceAll('.', '_')
    .toUpperCase()}`
}

function dottedKey(name: string): string {
  const key = KEYS_BY_TWIN.get(name)
  if (key !== undefined) return key
  const label = /^CONFMESH_NODE_LABELS_([A-Z0-9_]+)$/.exec(name)?.[1]
  if (label !== undefined) return `labels.${label.toLowerCase()}`
  throw new MeshError(
    'CONFIG_INVALID',
    `${name}: no such setting; the environment twins are listed in docs/operations.md`,
    { key: name },
  )
}

function assign(value: Record<string, unknown>, path: string, given: string | readonly string[]): void {
  // A label's name may have dots of its own.
  const [, head = path, tail] = /^([^.]+)\.(.+)$/.exec(path) ?? []
  const parsed =
    typeof given !== 'string'
      ? given
      : LISTS.has(path)
        ? given
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== '')
        : scalar(path, given)
  if (tail === undefined) {
    value[head] = parsed
    return
  }
  const holder = value[head] ?? {}
  // What is no map there stays: the schema says what is wrong with it.
  if (typeof holder === 'object') value[head] = { ...holder, [tail]: parsed }
}

function scalar(path: string, text: string): unknown {
  if (path === 'submit' || path === 'api.public')
    return text === 'true' ? true : text === 'false' ? false : text
  if (/^(keepReleases|health\.|limits\.)/.test(path) && /^\d+(\.\d+)?$/.test(text)) return Number(text)
  return text
}

/** The one key that is more than a list of words: as it stands in the file. @throws MeshError CONFIG_INVALID */
function hooksIn(name: string, text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 32 })
  } catch (error) {
    throw new MeshError('CONFIG_INVALID', `${name}: hooks: ${(error as Error).message.split('\n')[0]}`, {
      key: 'hooks',
    })
  }
}

function mergeLimits(given: Record<string, number>, where: Where): Limits {
  for (const [key, value] of Object.entries(given)) {
    if (typeof (LIMITS as Record<string, unknown>)[key] !== 'number') {
      throw new MeshError(
        'CONFIG_INVALID',
        `${where(['limits', key])}: limits.${key}: no such limit; docs/operations.md says where the names are`,
        { key: `limits.${key}` },
      )
    }
    checkLimit(key, value, where(['limits', key]))
  }
  return { ...LIMITS, maxHttpConnections: connectionsFor(given.maxWatchers), ...given }
}

/** @throws MeshError CONFIG_INVALID */
function checkRelations({ limits: given, limitsInForce: limits, submit }: NodeConfig, where: Where): void {
  for (const relation of broken(limits, { submit })) {
    // Of those that belong together what was set is to blame, and not what is as it was built in.
    const name = [relation.limit, ...relation.of].find((one) => one in given) ?? relation.limit
    const what = `limits.${name}: ${told(relation, limits)}`
    throw new MeshError('CONFIG_INVALID', `${where(['limits', name])}: ${what}`, { key: `limits.${name}` })
  }
}

/** Whoever wants more watchers, and says nothing of connections, wants those as well: with as many to spare as there are else. */
const connectionsFor = (maxWatchers: number = LIMITS.maxWatchers): number =>
  LIMITS.maxHttpConnections + Math.max(0, maxWatchers - LIMITS.maxWatchers)
