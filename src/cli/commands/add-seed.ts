import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelopeJson } from '../../codec/envelope-json.ts'
import { loadConfig, type NodeConfig } from '../../daemon/config.ts'
import { IDENTITY_FILE, loadOrCreateIdentity } from '../../daemon/identity.ts'
import { MeshError } from '../../errors.ts'
import type { PeerId } from '../../model/ids.ts'
import { setFreshness } from '../../trust/edit.ts'
import { collect, wholeNumber } from '../arguments.ts'
import { makeEmptyFolder, readInput, writeNew } from '../files.ts'
import { seedYaml } from '../fleet-files.ts'
import { addressOf, dialAddress, type Host, listenAddresses, parseHost } from '../host.ts'
import { readPrivateKey, writeKeyPair } from '../key-files.ts'
import { out } from '../output.ts'
import { readRoot } from '../root-files.ts'
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
  'hand the new root out (confmesh trust push) before this seed starts, or its beacons count for nothing'
const LIST_NOTE =
  'nodes find the new seed through the others; name it in their seeds, too, so that it can stand in for them'

export function register(program: Command): void {
  program
    .command('add-seed')
    .description('one more seed: identity, freshness key, seed.yaml, and the root that names its key')
    .argument('<dir>', 'a new or empty folder, to be moved to the host of the seed')
    .requiredOption('--from <seed.yaml>', 'configuration of a seed that is there, beside its data')
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
  const from = loadConfig(options.from, {}, new Map())
  const seeds = await seedsOf(options.from, from)
  // Whatever may be refused is read before the first file is written.
  const pool = poolOf(from)
  const current = readRoot(options.root).root
  rootKeys(options.rootKey, current, current)
  await makeEmptyFolder(dir)
  const { peerId } = await loadOrCreateIdentity(join(dir, 'seed'))
  const freshness = writeKeyPair(join(dir, 'seed/freshness.key'), 'ed25519')
  writeNew(join(dir, 'pool.json'), pool.certificate, 0o644)
  writeNew(join(dir, 'pool.key'), pool.key, 0o600)
  const added = { add: [freshness.public], remove: [] }
  const change = await applyChange({ ...options, yes: true }, (root) => setFreshness(root, added), [
    HAND_OUT_NOTE,
    LIST_NOTE,
  ])
  const root = readRoot(options.root)
  writeNew(join(dir, 'root.json'), encodeEnvelopeJson(root.envelope), 0o644)
  const seedConfig = writeSeedConfig(dir, { hosts, port, apiPort, seeds })
  const seedAddress = dialAddress(hosts[0] as Host, port, peerId)
  out({ peerId, seedConfig, seedAddress, ...change.facts }, [
    `seed ${peerId} in ${dir}, reached at ${seedAddress}`,
    ...change.lines,
  ])
}

/** The seeds that the other one knows, and that one itself. */
async function seedsOf(file: string, config: NodeConfig): Promise<string[]> {
  if (!existsSync(join(config.data, IDENTITY_FILE))) {
    throw new MeshError(
      'CONFIG_KEY',
      `${file}: no ${IDENTITY_FILE} in ${config.data}; --from needs a seed beside its data`,
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

/** The folder goes to another host, so it holds all that its configuration names. */
function poolOf({ admission }: NodeConfig): { certificate: string; key: string } {
  if (admission === undefined || !('pool' in admission)) {
    throw new MeshError(
      'CONFIG_INVALID',
      'the seed of --from has no pool; add-seed copies the pool of a fleet that has one',
    )
  }
  readPrivateKey(admission.poolKey)
  return {
    certificate: readInput(admission.pool, 'a pool certificate'),
    key: readInput(admission.poolKey, 'a key'),
  }
}

interface SeedPlan {
  readonly hosts: readonly Host[]
  readonly port: number
  readonly apiPort: number
  readonly seeds: readonly string[]
}

function writeSeedConfig(dir: string, { hosts, port, apiPort, seeds }: SeedPlan): string {
  const path = join(dir, 'seed.yaml')
  const listen = listenAddresses(hosts, port)
  const announce = hosts.map((host) => addressOf(host, port))
  writeNew(path, seedYaml({ title: 'One more seed.', listen, announce, seeds, apiPort }), 0o644)
  return path
}
