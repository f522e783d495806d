/** What people get wrong: each answered by one line that names the thing, and by the exit code that scripts go by. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, test } from 'vitest'
import {
  fleet,
  nowhere,
  publishing,
  type Row,
  running,
  STRANGER,
  seed,
  standing,
  write,
} from './bad-input.ts'
import { at, refused } from './command-line.ts'

standing()

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
  ['init where no folder can be made', 2, 'INPUT_PATH', '/proc/new', () => ['init', '/proc/new']],
  [
    'a data folder that cannot be made',
    2,
    'CONFIG_UNREADABLE',
    "name a data folder where the node's user may make one",
    () => ['identity', '--data', '/proc/new'],
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

describe('a bad input is answered by one line that names it', () => {
  test.each([...COMMAND_LINE, ...KEYS_AND_ADDRESSES, ...CONTENT])(
    '%s: exit %i, %s',
    async (_, exit, code, names, args) => {
      await refused(exit, code, names, ...args())
    },
  )
})
