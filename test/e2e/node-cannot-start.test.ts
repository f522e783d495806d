/** A node that cannot start: one line that names the thing, and the exit code that scripts go by. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { config, fleet, nowhere, port, type Row, running, STRANGER, standing, write } from './bad-input.ts'
import { at, json } from './command-line.ts'
import { confmesh as asProcess } from './real-fleet.ts'

standing()

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
