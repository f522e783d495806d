import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelope } from '../../codec/envelope.ts'
import { encodeEnvelopeJson } from '../../codec/envelope-json.ts'
import { configIn, type NodeConfig } from '../../daemon/config.ts'
import { readDocument } from '../../daemon/documents.ts'
import { IDENTITY_FILE, loadOrCreateIdentity } from '../../daemon/identity.ts'
import { isMeshError, MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import { parsePeerId } from '../../model/names.ts'
import type { PublicKey, TrustRoot } from '../../model/root.ts'
import { createJudge } from '../../trust/admission.ts'
import { issueNodeCertificate } from '../../trust/certificates.ts'
import { setFreshness } from '../../trust/edit.ts'
import { collect, wholeNumber } from '../arguments.ts'
import { makeEmptyFolder, makeNewFolder, orEmptied, readInput, writeNew } from '../files.ts'
import { seedYaml } from '../fleet-files.ts'
import { addressOf, dialAddress, type Host, listenAddresses, parseHost, requireOther } from '../host.ts'
import { readPrivateKey, writeKeyPair } from '../key-files.ts'
import { out } from '../output.ts'
import { draftPath, readRoot, readRootDraft } from '../root-files.ts'
import { applyChange, rootKeys } from '../trust-change.ts'

interface Options {
  readonly from: string
  readonly host: readonly string[]
  readonly root: string
  readonly rootKey: readonly string[]
  readonly port: string
  readonly apiPort: string
}

const HAND_OUT_NOTE =
  'hand the new root out (confmesh trust push) before this seed starts, or its beacons count for nothing; where no other seed is left, start this one first and push to it; that takes a root made from the newest, which confmesh trust fetch has from any node on its own host'
const LIST_NOTE =
  'nodes find the new seed through the others; name it in their seeds, too, so that it can stand in for them, and where no other is left, so that they find it at all'

export function register(program: Command): void {
  program
    .command('add-seed')
    .description('one more seed: identity, freshness key, seed.yaml, and the root that names its key')
    .argument('<dir>', 'a new or empty folder, to be moved to the host of the seed')
    .requiredOption(
      '--from <file>',
      "a seed's configuration, beside its data; or a node's, where no seed and no copy of its data is left",
    )
    .requiredOption('--host <addr...>', 'where the new seed is reached: IP address or DNS name', collect)
    .requiredOption('--root <file>', 'the current root')
    .requiredOption('--root-key <file...>', 'root keys to sign with', collect)
    .option('--port <n>', 'port of the seed', '7400')
    .option('--api-port <n>', "port of the seed's HTTP", '7480')
    .addHelpText(
      'after',
      '\nExample:\n  confmesh add-seed seed2 --from fleet/seed.yaml --host 10.0.0.2 --root fleet/root.json --root-key fleet/root-1.key\n',
    )
    .action((dir: string, options: Options) => addSeed(resolve(dir), options))
}

async function addSeed(dir: string, options: Options): Promise<void> {
  const hosts = options.host.map(parseHost)
  const port = wholeNumber('--port', options.port, 1, 65_535)
  const apiPort = wholeNumber('--api-port', options.apiPort, 1, 65_535)
  requireOther(hosts, port, apiPort)
  const from = configIn(options.from)
  const seeds = await seedsOf(options.from, from)
  // Whatever may be refused is read before the first file is written.
  const pool = poolOf(from)
  const current = readRoot(options.root).root
  requireAdmitted(options.from, pool, seeds[0] as string, current)
  rootKeys(options.rootKey, current, current)
  await makeEmptyFolder(dir)
  // Two runs may have found it empty: who makes this one has the whole folder until all is taken away again.
  const made = [join(dir, 'seed')]
  makeNewFolder(join(dir, 'seed'), 0o700)
  const put = (name: string, text: string, mode: number): void => {
    writeNew(join(dir, name), text, mode)
    made.unshift(join(dir, name))
  }
  let key: PublicKey | undefined
  const isNamed = () => key !== undefined && mayBeNamed(key, options.root, current.version + 1)
  // The root may be refused: then no copy of the pool's key stays; but the key of a root that is written already does.
  const { peerId, change } = await orEmptied(made, isNamed, async () => {
    const { peerId } = await loadOrCreateIdentity(join(dir, 'seed'))
    const freshness = writeKeyPair(join(dir, 'seed/freshness.key'), 'ed25519')
    key = freshness.public
    put('pool.json', pool.certificate, 0o644)
    put('pool.key', pool.key, 0o600)
    put('seed.yaml', seedConfigOf({ hosts, port, apiPort, seeds }), 0o644)
    const added = { add: [freshness.public], remove: [] }
    const edit = (root: TrustRoot) => setFreshness(root, added)
    return { peerId, change: await applyChange({ ...options, yes: true }, edit, [HAND_OUT_NOTE, LIST_NOTE]) }
  })
  copyRoot(options.root, dir, current.version + 1, change.complete)
  const seedAddress = dialAddress(hosts[0] as Host, port, peerId)
  out({ peerId, seedConfig: join(dir, 'seed.yaml'), seedAddress, ...change.facts }, [
    `seed ${peerId} in ${dir}, reached at ${seedAddress}`,
    ...change.lines,
  ])
}

/** The root is changed by now: the same command again would refuse its folder. @throws MeshError as `writeNew` */
function copyRoot(from: string, dir: string, version: number, complete: boolean): void {
  const path = join(dir, 'root.json')
  try {
    writeNew(path, encodeEnvelopeJson(readRoot(from).envelope), 0o644)
  } catch (error) {
    if (!isMeshError(error)) throw error
    const named = `root ${version} names this seed${complete ? '' : ' once enough have signed it'}`
    const text = `${error.message}; ${named}, and ${dir} lacks nothing else: copy ${from} to ${path}, and hand it out (confmesh trust push)`
    throw new MeshError(error.code, text, { ...error.details, version }, { cause: error })
  }
}

/** By the root that holds, or by one that waits for signatures; what cannot be read may name it. */
function mayBeNamed({ id }: PublicKey, path: string, next: number): boolean {
  const files = [path, draftPath(resolve(path), next)].filter((file) => existsSync(file))
  try {
    return files.some((file) => readRootDraft(file).root.freshness.keys.includes(id))
  } catch {
    return true
  }
}

/** The seeds that the other one knows, and that one itself where it is a seed. */
async function seedsOf(file: string, config: NodeConfig): Promise<string[]> {
  if (!config.submit && config.seeds.length > 0) return [...config.seeds]
  if (!existsSync(join(config.data, IDENTITY_FILE))) {
    throw new MeshError(
      'CONFIG_KEY',
      `${file}: no ${IDENTITY_FILE} in ${config.data}; --from needs the configuration of a seed beside its data, or of a node`,
      {
        path: file,
      },
    )
  }
  const { peerId } = await loadOrCreateIdentity(config.data)
  const own = reachable(config).map((address) =>
    address.includes('/p2p/') ? address : withPeer(address, peerId),
  )
  if (own.length > 0) return [...new Set([...config.seeds, ...own])]
  throw new MeshError('CONFIG_INVALID', `${file}: announce is empty; say there where the seed is reached`, {
    path: file,
  })
}

const withPeer = (address: string, peer: PeerId): string => `${address}/p2p/${peer}`

/** What it announces, else what it listens on where that is one address. */
function reachable({ announce, listen }: NodeConfig): readonly string[] {
  if (announce.length > 0) return announce
  return listen.filter((address) => !/\/(0\.0\.0\.0|::)\/|\/tcp\/0$/.test(address))
}

/** Paths and texts: the folder goes to another host, so it holds all that its configuration names. */
interface Pool {
  readonly path: string
  readonly certificate: string
  readonly keyPath: string
  readonly key: string
}

function poolOf({ admission }: NodeConfig): Pool {
  if (admission === undefined || !('pool' in admission)) {
    throw new MeshError(
      'CONFIG_INVALID',
      'the seed of --from has no pool; add-seed copies the pool of a fleet that has one',
    )
  }
  const { pool: path, poolKey: keyPath } = admission
  const [certificate, key] = [readInput(path, 'a pool certificate'), readInput(keyPath, 'a key')]
  return { path, certificate, keyPath, key }
}

/**
 * A pool that was replaced stays in a folder where nobody named the new one: every node would refuse the seed.
 * @param address of any seed: the new one has no name yet, and the pool counts alone
 * @throws MeshError ADMIT_*, CONFIG_INVALID, CONFIG_KEY, CONFIG_KEY_MODE
 */
function requireAdmitted(file: string, pool: Pool, address: string, root: TrustRoot): void {
  const [now, peer] = [Date.now(), parsePeerId(address.replace(/^.*\/p2p\//, ''))]
  const member = { peer, labels: new Map<string, string>(), notBefore: now, notAfter: now }
  const own = encodeEnvelope(issueNodeCertificate(member, readPrivateKey(pool.keyPath)))
  const chain = [own, readDocument(pool.path, 'admission.pool', LIMITS)]
  const ofAnybody = { ...root, removed: { ...root.removed, peers: [] } }
  const judgement = createJudge(LIMITS)(peer, chain, ofAnybody, now)
  if (judgement.kind === 'admitted') return
  const { code, text } = judgement
  throw new MeshError(
    code,
    `${file}: no node would admit a seed of ${pool.path} under root ${root.version}: ${text}; name the pool that is in force, and its key, under admission there`,
    { path: file, pool: pool.path },
  )
}

interface SeedPlan {
  readonly hosts: readonly Host[]
  readonly port: number
  readonly apiPort: number
  readonly seeds: readonly string[]
}

function seedConfigOf({ hosts, port, apiPort, seeds }: SeedPlan): string {
  const listen = listenAddresses(hosts, port)
  const announce = hosts.map((host) => addressOf(host, port))
  return seedYaml({ title: 'One more seed.', listen, announce, seeds, apiPort })
}
