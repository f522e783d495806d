import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelopeJson } from '../../codec/envelope-json.ts'
import { loadOrCreateIdentity } from '../../daemon/identity.ts'
import { MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Name, Pattern } from '../../model/ids.ts'
import { parseName, parsePattern } from '../../model/names.ts'
import type { TrustRoot } from '../../model/root.ts'
import { issuePool } from '../../trust/certificates.ts'
import { firstRoot } from '../../trust/first-root.ts'
import { signEnvelope } from '../../trust/signing.ts'
import { argument, collect, wholeNumber } from '../arguments.ts'
import { makeEmptyFolder, makeNewFolder, orEmptied, writeNew } from '../files.ts'
import { nodeYaml, seedYaml } from '../fleet-files.ts'
import { generatePrivateKey, type KeyPair } from '../generate-key.ts'
import {
  addressOf,
  dialAddress,
  type Host,
  listenAddresses,
  nodeListenAddresses,
  parseHost,
  requireOther,
} from '../host.ts'
import { saveKeyPair } from '../key-files.ts'
import { out } from '../output.ts'
import { payloadOf } from '../root-files.ts'
import { twoYearsFrom, wholeSecond } from '../time.ts'

interface Options {
  readonly fleet: string
  readonly host?: readonly string[]
  readonly channel?: readonly string[]
  readonly publisher: string
  readonly rootKeys: string
  readonly rootThreshold?: string
  readonly port: string
  readonly apiPort: string
}

/** A seed signs a beacon each 20 s: three lost ones in a row are no accident. */
const MAX_AGE_S = 60
/** Clocks without time service drift by minutes, not by more. */
const MAX_SKEW_S = 300
const PORT = 7400
const API_PORT = 7480

export function register(program: Command): void {
  program
    .command('init')
    .description('make a new fleet: root keys, trust root, publisher, admission, first seed, configurations')
    .argument('<dir>', 'a new or empty folder')
    .option('--fleet <name>', "the fleet's name, which its pool of hosts bears", 'fleet')
    .option(
      '--host <addr...>',
      'where the seed is reached: IP address or DNS name (default 127.0.0.1)',
      collect,
    )
    .option('--channel <pattern...>', 'channels that are published and stored (default **)', collect)
    .option('--publisher <name>', "the publisher's name", 'publisher')
    .option('--root-keys <n>', 'how many root keys', '1')
    .option('--root-threshold <m>', 'how many of them must sign a root (default: more than half)')
    .option('--port <n>', 'port of the seed', String(PORT))
    .option(
      '--api-port <n>',
      "port of the seed's HTTP, and of the node's; where they may be on one host the node's is the next one that is free of --port",
      String(API_PORT),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh init fleet\n  confmesh init fleet --host seed1.example.net --channel "payments/*" --root-keys 3 --root-threshold 2\n',
    )
    .action((dir: string, options: Options) => init(resolve(dir), options))
}

/** What was asked for, checked as a whole before anything is written. */
interface Plan {
  readonly dir: string
  readonly fleet: Name
  readonly publisher: Name
  readonly hosts: readonly Host[]
  readonly patterns: readonly Pattern[]
  readonly rootKeys: number
  readonly rootThreshold: number
  readonly port: number
  readonly apiPort: number
}

function planOf(dir: string, options: Options): Plan {
  const rootKeys = wholeNumber('--root-keys', options.rootKeys, 1, LIMITS.maxKeysPerRole)
  const majority = Math.floor(rootKeys / 2) + 1
  const given = (options.channel ?? ['**']).map((text) => argument('--channel', text, parsePattern))
  const patterns = [...new Set(given)]
  // Of the publisher in the root, and of node.yaml.
  const most = Math.min(LIMITS.maxPatternsPerPublisher, LIMITS.maxPatterns)
  if (patterns.length > most)
    throw new MeshError('USAGE', `--channel: ${patterns.length} patterns, at most ${most} hold`)
  const port = wholeNumber('--port', options.port, 1, 65_535)
  const apiPort = wholeNumber('--api-port', options.apiPort, 1, 65_534)
  const hosts = (options.host ?? ['127.0.0.1']).map(parseHost)
  requireOther(hosts, port, apiPort)
  return {
    dir,
    fleet: argument('--fleet', options.fleet, parseName),
    publisher: argument('--publisher', options.publisher, parseName),
    hosts,
    patterns,
    rootKeys,
    rootThreshold: wholeNumber('--root-threshold', options.rootThreshold ?? String(majority), 1, rootKeys),
    port,
    apiPort,
  }
}

async function init(dir: string, options: Options): Promise<void> {
  const plan = planOf(dir, options)
  const keys = makeKeys(plan)
  const now = Date.now()
  const root = rootOf(plan, keys, now)
  // Read back, so that nothing is left of a fleet that no node would take.
  const payload = payloadOf(root)
  await makeEmptyFolder(dir)
  // Two runs may have found it empty: who makes this one has the whole folder until all is taken away again.
  const made = [join(dir, 'seed')]
  makeNewFolder(join(dir, 'seed'), 0o700)
  const put: Put = (name, text) => {
    writeNew(join(dir, name), text, 0o644)
    made.unshift(join(dir, name))
  }
  const seeds = await orEmptied(
    made,
    () => false,
    async () => {
      const { peerId } = await loadOrCreateIdentity(join(dir, 'seed'))
      writeKeys(dir, keys, made)
      const signers = keys.root.map(({ key }) => key)
      put('root.json', encodeEnvelopeJson(signEnvelope('root', payload, signers)))
      put('pool.json', poolOf(plan, keys, now))
      const addresses = plan.hosts.map((host) => dialAddress(host, plan.port, peerId))
      writeConfigs(plan, addresses, put)
      return addresses
    },
  )
  const result = {
    fleetId: root.fleetId,
    root: join(dir, 'root.json'),
    rootKeys: keys.root.map((_, i) => join(dir, rootKeyName(i))),
    publisher: plan.publisher,
    publisherKey: join(dir, 'publisher.key'),
    admissionKey: join(dir, 'admission.key'),
    pool: join(dir, 'pool.json'),
    seedConfig: join(dir, 'seed.yaml'),
    nodeConfig: join(dir, 'node.yaml'),
    seedAddress: seeds[0] as string,
  }
  out(result, describe(plan, result))
}

interface Keys {
  readonly root: readonly KeyPair[]
  readonly publisher: KeyPair
  readonly admission: KeyPair
  readonly pool: KeyPair
  readonly freshness: KeyPair
}

const rootKeyName = (index: number): string => `root-${index + 1}.key`

function makeKeys({ rootKeys }: Plan): Keys {
  const make = () => generatePrivateKey('ed25519')
  return {
    root: Array.from({ length: rootKeys }, make),
    publisher: make(),
    admission: make(),
    pool: make(),
    freshness: make(),
  }
}

/** A file that others may read. */
type Put = (name: string, text: string) => void

/** @param made where it says at once what it wrote */
function writeKeys(dir: string, keys: Keys, made: string[]): void {
  const write = (name: string, pair: KeyPair) => {
    const path = join(dir, name)
    saveKeyPair(path, pair)
    made.unshift(path, `${path}.pub`)
  }
  for (const [index, pair] of keys.root.entries()) write(rootKeyName(index), pair)
  write('publisher.key', keys.publisher)
  write('admission.key', keys.admission)
  write('pool.key', keys.pool)
  write('seed/freshness.key', keys.freshness)
}

function rootOf(plan: Plan, keys: Keys, nowMs: number): TrustRoot {
  const { publisher: name, patterns } = plan
  return firstRoot({
    rootKeys: keys.root.map(({ key }) => key.public),
    rootThreshold: plan.rootThreshold,
    publishers: [{ name, keys: [keys.publisher.key.public], threshold: 1, patterns }],
    admissionKeys: [keys.admission.key.public],
    freshnessKeys: [keys.freshness.key.public],
    maxAgeS: MAX_AGE_S,
    maxSkewS: MAX_SKEW_S,
    expires: twoYearsFrom(nowMs),
  })
}

function poolOf(plan: Plan, keys: Keys, nowMs: number): string {
  const pool = issuePool(
    {
      name: plan.fleet,
      key: keys.pool.key.public,
      labels: new Map([
        ['region', '*'],
        ['zone', '*'],
      ]),
      notBefore: wholeSecond(nowMs),
      notAfter: twoYearsFrom(nowMs),
    },
    keys.admission.key,
  )
  return encodeEnvelopeJson(pool)
}

/**
 * Where commands ask without being told, unless the node may be on the seed's host: there the next port may be the
 * seed's own.
 */
function nodeApiPort({ hosts, port, apiPort }: Plan): number {
  if (!hosts.some(({ loopback }) => loopback)) return apiPort
  return [apiPort + 1, apiPort + 2, apiPort - 1].find((one) => one !== port && one <= 65_535) as number
}

function writeConfigs(plan: Plan, seeds: readonly string[], put: Put): void {
  const { fleet, hosts, port, apiPort, patterns } = plan
  const seed = seedYaml({
    title: `The first seed of ${fleet}.`,
    listen: listenAddresses(hosts, port),
    announce: hosts.map((host) => addressOf(host, port)),
    seeds: [],
    apiPort,
  })
  const node = nodeYaml({
    title: `A node of ${fleet}.`,
    listen: nodeListenAddresses(hosts),
    seeds,
    channels: patterns,
    apiPort: nodeApiPort(plan),
  })
  put('seed.yaml', seed)
  put('node.yaml', node)
}

function describe(plan: Plan, result: { fleetId: string; seedAddress: string }): string[] {
  const { dir, hosts, rootKeys, rootThreshold, patterns, publisher } = plan
  const local = hosts.every((host) => host.loopback)
  const few =
    rootKeys === 1
      ? '; one lost or stolen key ends the fleet: --root-keys 3 makes three, two of which sign'
      : ''
  return [
    `fleet ${result.fleetId.slice(0, 12)} in ${dir}`,
    `  root.json        trust root 1, ${rootThreshold} of ${rootKeys} root keys sign the next; valid for two years${few}`,
    `  root-*.key       keep offline, away from every host of the fleet`,
    `  publisher.key    signs releases of ${publisher} on ${patterns.join(', ')}`,
    `  admission.key    admits nodes and pools; keep offline`,
    `  pool.json, .key  every host of the fleet has both`,
    `  seed.yaml        the seed, at ${result.seedAddress}`,
    `  node.yaml        a node`,
    ...(local ? ['The seed is reached on this host alone; --host ADDR says where others reach it.'] : []),
    'Next:',
    `  confmesh node --config ${join(dir, 'seed.yaml')}`,
    `  confmesh node --config ${join(dir, 'node.yaml')}`,
    `  confmesh publish CHANNEL FOLDER --key ${join(dir, 'publisher.key')} --seed ${result.seedAddress}`,
  ]
}
