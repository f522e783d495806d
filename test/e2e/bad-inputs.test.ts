/** What people get wrong: each answered by one line that names the thing, and by the exit code that scripts go by. */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { at, type Fleet, inScratch, json, refused } from './command-line.ts'
import { confmesh as asProcess, type InitResult, RealFleet, type RealNode } from './real-fleet.ts'

inScratch()

const STRANGER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const real = new RealFleet()
let fleet: Fleet
let running: InitResult
let seed: RealNode
let taken: Server
let port: number

beforeAll(async () => {
  fleet = await json<Fleet>('init', 'fleet')
  running = await real.init()
  seed = await real.start('seed', running.seedConfig)
  taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  port = (taken.address() as { port: number }).port
  mkdirSync(at('app'))
  writeFileSync(at('app/app.yaml'), 'a: 1\n')
})
afterAll(async () => {
  taken.close()
  await real.end()
})

const write = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(at(name), text)
  chmodSync(at(name), mode)
  return at(name)
}
const config = (name: string, more: string): string =>
  write(name, `root: ${fleet.root}\ndata: ${at('data')}\napi: { listen: 127.0.0.1:0 }\n${more}`)
const publishing = (path: string, ...more: string[]): string[] => [
  ...['publish', 'pay/prod', path, '--yes', '--key', fleet.publisherKey, '--root', fleet.root],
  ...more,
]
const nowhere = (peer: string, at = 1): string => `/ip4/127.0.0.1/tcp/${at}/p2p/${peer}`

/** Exit code, code, what the line names, the command line (made late: files and ports come first). */
type Row = [what: string, exit: number, code: string, names: string, args: () => string[]]

const COMMAND_LINE: Row[] = [
  ['an unknown command', 2, 'USAGE', 'publsh', () => ['publsh']],
  ['an unknown option', 2, 'USAGE', '--fast', () => ['publish', '--fast']],
  ['help on what is no command', 2, 'USAGE', 'name one of the commands', () => ['help', 'publsh']],
  ['a subcommand that is not there', 2, 'USAGE', 'shew', () => ['trust', 'shew']],
  ['an --api that is no address', 2, 'USAGE', 'not an address', () => ['status', '--api', 'not an address']],
  [
    'an --api where nothing listens',
    4,
    'NET_UNREACHABLE',
    '127.0.0.1:1',
    () => ['status', '--api', 'http://127.0.0.1:1'],
  ],
  [
    'a release prefix that is too short',
    2,
    'USAGE',
    'abc',
    () => publishing(at('app'), '--expect', 'abc', '--seed', nowhere(STRANGER)),
  ],
  [
    'a channel name with a capital',
    2,
    'USAGE',
    'Pay/prod',
    () => ['publish', 'Pay/prod', at('app'), '--key', fleet.publisherKey],
  ],
  ['init where something lies', 2, 'INPUT_EXISTS', 'app', () => ['init', at('app')]],
]

const KEYS_AND_ADDRESSES: Row[] = [
  [
    'a key file that is not there',
    2,
    'CONFIG_KEY',
    'gone.key',
    () => [
      'publish',
      'pay/prod',
      at('app'),
      '--key',
      at('gone.key'),
      '--root',
      fleet.root,
      '--seed',
      nowhere(STRANGER),
    ],
  ],
  [
    'a key file that others may read',
    2,
    'CONFIG_KEY_MODE',
    'chmod 600',
    () => [
      'publish',
      'pay/prod',
      at('app'),
      '--key',
      write('open.key', readFileSync(fleet.publisherKey, 'utf8'), 0o644),
      '--root',
      fleet.root,
      '--seed',
      nowhere(STRANGER),
    ],
  ],
  [
    'a key file that holds no key',
    2,
    'CONFIG_KEY',
    'junk.key',
    () => [
      'publish',
      'pay/prod',
      at('app'),
      '--key',
      write('junk.key', 'junk'),
      '--root',
      fleet.root,
      '--seed',
      nowhere(STRANGER),
    ],
  ],
  [
    'the public half of a key',
    2,
    'CONFIG_KEY',
    'is a public key',
    () => [
      ...['publish', 'pay/prod', at('app'), '--key', `${fleet.publisherKey}.pub`],
      ...['--root', fleet.root, '--seed', nowhere(STRANGER)],
    ],
  ],
  [
    'a seed address without a peer id',
    2,
    'USAGE',
    '/ip4/127.0.0.1/tcp/1',
    () => publishing(at('app'), '--seed', '/ip4/127.0.0.1/tcp/1'),
  ],
  [
    'a seed that cannot be reached',
    4,
    'NET_UNREACHABLE',
    'is the seed running',
    () => publishing(at('app'), '--seed', nowhere(STRANGER)),
  ],
  [
    'a seed with another peer id',
    3,
    'NET_PEER_ID',
    STRANGER,
    () => publishing(at('app'), '--seed', seed.address.replace(seed.peerId, STRANGER)),
  ],
  [
    'a root that is damaged',
    3,
    'CODEC_MALFORMED',
    'damaged.json',
    () => [
      'trust',
      'verify',
      '--root',
      write('damaged.json', readFileSync(fleet.root, 'utf8').slice(0, 200)),
    ],
  ],
  [
    'a configuration given as root',
    2,
    'INPUT_PATH',
    'seed.yaml: no trust root; name the root.json',
    () => ['trust', 'show', '--root', write('seed.yaml', 'root: root.json\n')],
  ],
  [
    'a fleet the key has no part in',
    3,
    'TRUST_UNAUTHORISED',
    'no publisher has the key',
    () => [
      ...['publish', 'pay/prod', at('app'), '--yes', '--key', fleet.publisherKey],
      '--root',
      running.root,
      '--seed',
      seed.address,
    ],
  ],
]

const CONTENT: Row[] = [
  [
    'an empty folder',
    2,
    'CONTENT_EMPTY',
    'bare',
    () => {
      mkdirSync(at('bare'), { recursive: true })
      return ['check', at('bare')]
    },
  ],
  [
    'a file that is no release',
    3,
    'CODEC_MALFORMED',
    "name a file that 'confmesh export' wrote",
    () => ['import', at('app/app.yaml'), '--seed', nowhere(STRANGER)],
  ],
  ['a path that is not there', 2, 'INPUT_PATH', 'missing', () => ['check', at('missing')]],
  [
    'a symbolic link',
    2,
    'CONTENT_PATH',
    'link',
    () => {
      mkdirSync(at('linked'), { recursive: true })
      symlinkSync('/etc/hostname', at('linked/link'))
      return ['check', at('linked')]
    },
  ],
  [
    'a file name with a control character',
    2,
    'CONTENT_PATH',
    'bell',
    () => {
      mkdirSync(at('control'), { recursive: true })
      writeFileSync(at('control/bell\u0007.yaml'), 'a: 1\n')
      return ['check', at('control')]
    },
  ],
]

/** Run as processes, as nothing may be left behind by a node that could not start. */
const NODE: Row[] = [
  [
    'a configuration that is not there',
    2,
    'CONFIG_UNREADABLE',
    'gone.yaml',
    () => ['--config', at('gone.yaml')],
  ],
  [
    'a key that is not known',
    2,
    'CONFIG_INVALID',
    'unknown.yaml:4: seds',
    () => ['--config', config('unknown.yaml', 'seds: []\n')],
  ],
  [
    'YAML that is none',
    2,
    'CONFIG_INVALID',
    'broken.yaml:5',
    () => ['--config', config('broken.yaml', 'seeds: [\n')],
  ],
  [
    'a channel pattern that is none',
    2,
    'CONFIG_INVALID',
    'channel.yaml:4: channels.0: pattern "Pay//x"',
    () => ['--config', config('channel.yaml', 'channels: ["Pay//x"]\n')],
  ],
  [
    'a seed without a peer id',
    2,
    'CONFIG_INVALID',
    'seed.yaml:6: seeds: address "/ip4/10.0.0.2/tcp/7400"',
    () => ['--config', config('seed.yaml', `seeds:\n  - ${nowhere(STRANGER)}\n  - /ip4/10.0.0.2/tcp/7400\n`)],
  ],
  [
    'a group that is not there',
    2,
    'CONFIG_INVALID',
    'group.yaml:6: materialize.group: no group "nobody-here"',
    () => [
      '--config',
      config('group.yaml', `materialize:\n  dir: ${at('trees')}\n  group: nobody-here\n`),
      '--data',
      at('grouped'),
    ],
  ],
  [
    'an API beyond loopback without a token',
    2,
    'CONFIG_API_PUBLIC',
    '0.0.0.0',
    () => ['--config', config('public.yaml', ''), '--api', '0.0.0.0:0'],
  ],
  [
    'a root that is not there',
    2,
    'CONFIG_UNREADABLE',
    'gone.json',
    () => ['--config', config('rootless.yaml', ''), '--root', at('gone.json')],
  ],
  [
    'a root that is damaged',
    2,
    'CONFIG_INVALID',
    'cut.json',
    () => ['--config', config('cut.yaml', ''), '--root', write('cut.json', '{"payload":')],
  ],
  [
    'a certificate given as root',
    2,
    'CONFIG_INVALID',
    'pool.json: ',
    () => ['--config', config('certified.yaml', ''), '--root', fleet.pool],
  ],
  [
    'a pool that is not there',
    2,
    'CONFIG_UNREADABLE',
    'poolless.yaml:4: admission.pool: ',
    () => [
      '--config',
      config('poolless.yaml', `admission: { pool: ${at('gone.json')}, poolKey: ${at('gone.key')} }\n`),
      '--data',
      at('poolless'),
    ],
  ],
  [
    'a root that its keys did not sign',
    3,
    'TRUST_ROOT_UNAUTHORISED',
    'unsigned.json: root 1 does not bear',
    () => [
      '--config',
      config('unsigned.yaml', ''),
      '--root',
      write(
        'unsigned.json',
        JSON.stringify({ ...JSON.parse(readFileSync(fleet.root, 'utf8')), signatures: [] }),
      ),
    ],
  ],
  [
    'an identity of the wrong type',
    2,
    'CONFIG_KEY',
    'identity.key',
    () => {
      mkdirSync(at('p256'), { recursive: true })
      writeFileSync(at('p256/identity.key'), readFileSync(at('other.key')), { mode: 0o600 })
      return ['--config', config('identity.yaml', ''), '--data', at('p256')]
    },
  ],
  [
    'a port in use',
    1,
    'NET_LISTEN',
    'is in use; stop the other process or set listen',
    () => [
      '--config',
      config('port.yaml', ''),
      '--data',
      at('port'),
      '--listen',
      `/ip4/127.0.0.1/tcp/${port}`,
    ],
  ],
  [
    'a port of the API in use',
    1,
    'NET_LISTEN',
    '127.0.0.1',
    () => [
      // With a certificate: a node without says so before it comes to its API.
      '--config',
      running.nodeConfig,
      '--data',
      at('api'),
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
      '--api',
      `127.0.0.1:${port}`,
    ],
  ],
  [
    'a data folder in use',
    1,
    'STORE_LOCKED',
    'seed',
    () => ['--config', running.seedConfig, '--api', '127.0.0.1:0', '--listen', '/ip4/127.0.0.1/tcp/0'],
  ],
]

describe('a bad input is answered by one line that names it', () => {
  test.each([...COMMAND_LINE, ...KEYS_AND_ADDRESSES, ...CONTENT])(
    '%s: exit %i, %s',
    async (_, exit, code, names, args) => {
      await refused(exit, code, names, ...args())
    },
  )
})

describe('a node that cannot start says why in one line and ends', () => {
  beforeAll(() => json('keygen', '--out', at('other.key'), '--type', 'p256'))

  test.each(NODE)('%s: exit %i, %s', async (_, exit, code, names, args) => {
    const run = await asProcess(['node', ...args()])
    expect(run.err).toMatch(/^confmesh: [A-Z_]+: [^\n]+\n$/)
    expect(run.err).toContain(`confmesh: ${code}: `)
    expect(run.err).toContain(names)
    expect({ code: run.code, out: run.out }).toEqual({ code: exit, out: '' })
  })
})
