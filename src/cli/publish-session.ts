/** What every command that signs and injects has in common: keys, the trust root, seeds, the lock beside the key. */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelope } from '../codec/envelope.ts'
import { parseAddress } from '../daemon/address.ts'
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Address, Name } from '../model/ids.ts'
import { parseName } from '../model/names.ts'
import type { TrustRoot } from '../model/root.ts'
import { BY_ENVIRONMENT, type CounterMemory, joinMemories, noMemory, openMemory } from '../publish/counter.ts'
import { catchUp } from '../publish/roots.ts'
import { reachSeeds, type Seed, type Seeds } from '../publish/seeds.ts'
import { commandSigner, keySigner, type Signer } from '../publish/signer.ts'
import { type RootChain, startChain } from '../trust/chain.ts'
import { type PrivateKey, privateKeyFromPem } from '../trust/private-key.ts'
import { argument, collect } from './arguments.ts'
import { readPrivateKey } from './key-files.ts'
import { progress, warn } from './output.ts'
import { readRoot } from './root-files.ts'
import { timeOf } from './time.ts'

export interface SigningOptions {
  readonly key?: readonly string[]
  readonly signWith?: readonly string[]
  readonly publisher?: string
  readonly root?: string
  readonly seed?: readonly string[]
  /** Nothing is sent, so seeds need not be named where a key file remembers what it signed. */
  readonly offline?: boolean
  /** Perhaps nothing is signed, so keys need not be named. */
  readonly keyless?: boolean
}

export const SIGNING_HELP = `
Keys: --key FILE (mode 0600), --key - (PEM on stdin) or CONFMESH_KEY (PEM in the environment, for CI). With
--sign-with COMMAND the key stays in a KMS or HSM: the command, run by the shell, gets the bytes to sign on its stdin
and prints the signature, raw or base64 (Ed25519: 64 bytes; P-256: ECDSA with SHA-256, DER).
`

export const signing = (command: Command): Command =>
  seeded(command)
    .option('--key <file...>', "the publisher's key, one or more; - reads it from stdin", collect)
    .option('--sign-with <command>', 'a command that signs; may be given several times', collect)
    .option('--publisher <name>', 'for whom to sign, where the key does not tell')

export const seeded = (command: Command): Command =>
  command
    .option('--seed <address...>', 'where to inject: /ip4/…/tcp/…/p2p/PEER, one or more', collect)
    .option('--root <file>', 'trust root (default: root.json beside the key)')

export interface Session {
  readonly chain: RootChain
  readonly seeds: Seeds
  readonly signers: readonly Signer[]
  readonly memory: CounterMemory
  readonly publisher: Name | undefined
}

const NO_SEEDS: Seeds = { reached: [], missed: [], close: async () => undefined }

interface Keys {
  readonly signers: readonly Signer[]
  /** Key files, for memory and lock. */
  readonly files: readonly string[]
}

/** Runs with all of it at hand and puts it away in the end, whatever happens. */
export async function withSession<T>(
  options: SigningOptions,
  run: (session: Session) => Promise<T>,
): Promise<T> {
  const { signers, files } = readKeys(options)
  const publisher =
    options.publisher === undefined ? undefined : argument('--publisher', options.publisher, parseName)
  const root = rootPath(options, files)
  const start = readChain(root)
  const seeded = options.seed !== undefined || options.offline !== true
  if (!seeded && files.length === 0)
    throw new MeshError(
      'USAGE',
      'neither a seed nor a key file is named, so nobody says which counter is next; name one: --seed ADDRESS, or --key FILE',
    )
  const addresses = seeded ? seedAddresses(options) : []
  if (!seeded) warn("no seed is named: the counter comes from this key's own memory alone")
  const free = files.length === 0 ? undefined : await lockAll(files)
  try {
    const memory = files.length === 0 ? noMemory : joinMemories(files.map((file) => openMemory(file)))
    const seeds = seeded ? await connect(addresses) : NO_SEEDS
    try {
      const chain = await newestOf(root, start, seeds.reached)
      warnOfExpiry(chain.current)
      return await run({ chain, seeds, signers, memory, publisher })
    } finally {
      await seeds.close()
    }
  } finally {
    await free?.()
  }
}

/** LevelDB is loaded only now: a wrong command line, a wrong key are told without it. */
export async function lockAll(
  files: readonly string[],
  otherwise = BY_ENVIRONMENT,
): Promise<() => Promise<void>> {
  const { lockKeys } = await import('./key-lock.ts')
  return lockKeys(files, LIMITS.keyLockMs, otherwise)
}

/** @throws MeshError USAGE, CONFIG_INVALID */
export function seedAddresses(options: Pick<SigningOptions, 'seed'>): readonly Address[] {
  const given = options.seed ?? []
  if (given.length === 0) throw new MeshError('USAGE', 'name a seed: --seed /ip4/…/tcp/…/p2p/PEER')
  return given.map((text) => argument('--seed', text, parseAddress))
}

export async function connect(addresses: readonly Address[]): Promise<Seeds> {
  progress(`reaching ${addresses.length} seed${addresses.length === 1 ? '' : 's'}`)
  const seeds = await reachSeeds(addresses, LIMITS)
  for (const { address, error } of seeds.missed) warn(`seed ${address} was not reached (${error.code})`)
  return seeds
}

/** @throws MeshError USAGE, CONFIG_KEY, CONFIG_KEY_MODE */
function readKeys(options: SigningOptions): Keys {
  const given = options.key ?? []
  const files = distinct(given.filter((file) => file !== '-').map((file) => resolve(file)))
  const keys: PrivateKey[] = files.map(readPrivateKey)
  if (given.includes('-')) keys.push(fromText('--key -', readStdin()))
  const { CONFMESH_KEY } = process.env
  const commands = options.signWith ?? []
  if (given.length === 0 && commands.length === 0) {
    if (CONFMESH_KEY !== undefined && CONFMESH_KEY !== '') keys.push(fromText('CONFMESH_KEY', CONFMESH_KEY))
    else if (options.keyless !== true) throw keyMissing()
  }
  const once = [...new Map(keys.map((key) => [key.id, key])).values()]
  return {
    signers: [...once.map(keySigner), ...commands.map((command) => commandSigner(command, LIMITS))],
    files,
  }
}

export const keyMissing = (): MeshError =>
  new MeshError('USAGE', 'name a key: --key FILE, --key -, CONFMESH_KEY or --sign-with COMMAND')

/** By where lock and memory lie, beside the name: a run that took one lock twice would wait for itself. */
export function distinct(files: readonly string[]): readonly string[] {
  const byPlace = new Map<string, string>()
  for (const file of files) {
    const folder = dirname(file)
    const place = join(existsSync(folder) ? realpathSync(folder) : folder, basename(file))
    if (!byPlace.has(place)) byPlace.set(place, file)
  }
  return [...byPlace.values()]
}

function readStdin(): string {
  try {
    return readFileSync(0, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw new MeshError('CONFIG_KEY', `--key -: cannot read stdin: ${reason}`, {}, { cause: error })
  }
}

function fromText(where: string, pem: string): PrivateKey {
  try {
    return privateKeyFromPem(pem)
  } catch (error) {
    throw new MeshError('CONFIG_KEY', `${where}: ${(error as Error).message}`, {}, { cause: error })
  }
}

function rootPath(options: SigningOptions, files: readonly string[]): string {
  if (options.root !== undefined) return options.root
  const [first] = files
  const beside = first === undefined ? resolve('root.json') : join(dirname(first), 'root.json')
  if (existsSync(beside)) return beside
  throw new MeshError('USAGE', `there is no ${beside}; name the trust root: --root FILE`)
}

export function readChain(path: string): RootChain {
  return startChain(encodeEnvelope(readRoot(path).envelope), LIMITS)
}

/** So many versions that are asked for are worth no word: a root was changed, and this copy of it is of the day before. */
const FEW_VERSIONS = 3

/** Of one that nobody brings up to date each run asks for every version anew, one after another, and says why it is slow. */
export async function newestOf(path: string, start: RootChain, seeds: readonly Seed[]): Promise<RootChain> {
  const chain = await catchUp(start, seeds, LIMITS)
  const behind = chain.current.version - start.current.version
  if (behind > FEW_VERSIONS)
    warn(
      `${path} is ${behind} versions behind, and each run asks the seeds for all of them; bring it up to date: confmesh trust fetch --root ${path} --seed ADDRESS`,
    )
  return chain
}

export function warnOfExpiry({ version, expires }: TrustRoot): void {
  if (expires <= Date.now())
    warn(
      `root ${version} expired at ${timeOf(expires)}: no node activates anything new until it is renewed (confmesh trust renew)`,
    )
}
