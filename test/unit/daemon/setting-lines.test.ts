/** What a setting names is read at the start: where that is wrong, file and line of the setting are said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { loadConfig } from '../../../src/daemon/config.ts'
import { startNode } from '../../../src/daemon/node.ts'
import { issuePool } from '../../../src/trust/certificates.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { admissionKey, name, rootKeys, rootOne } from '../trust/fixtures.ts'

const pool = generatePrivateKey('ed25519')
const VALIDITY = { notBefore: Date.now() - 1_000, notAfter: Date.now() + 86_400_000 }
const FILES = {
  'root.json': encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys)),
  'unsigned.json': encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), [])),
  'pool.json': encodeEnvelopeJson(
    issuePool({ name: name('hosts'), key: pool.key.public, labels: new Map(), ...VALIDITY }, admissionKey),
  ),
  'pool.key': pool.pem,
  'other.key': generatePrivateKey('ed25519').pem,
  'short.token': 'abc',
  'two-lines.token': 'abcdefghijklmnop\nabcdefghijklmnop\n',
  'umlauts.token': 'äöüäöüäöüäöüäöüäöü\n',
}

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-lines-'))
  for (const [file, text] of Object.entries(FILES)) writeFileSync(join(dir, file), text, { mode: 0o600 })
})
afterEach(() => rmSync(dir, { recursive: true }))

const SETTINGS = {
  root: 'root.json',
  data: 'data',
  listen: '[/ip4/127.0.0.1/tcp/0]',
  labels: '\n  zone: a',
  admission: '\n  pool: pool.json\n  poolKey: pool.key',
  api: '\n  listen: 127.0.0.1:0',
}

test.each([
  ['root', { root: 'gone.json' }, 'CONFIG_UNREADABLE', 1],
  ['root', { root: 'pool.key' }, 'CONFIG_INVALID', 1],
  ['root', { root: 'unsigned.json' }, 'TRUST_ROOT_UNAUTHORISED', 1],
  ['admission.pool', { admission: '\n  pool: gone.json\n  poolKey: pool.key' }, 'CONFIG_UNREADABLE', 7],
  ['admission.poolKey', { admission: '\n  pool: pool.json\n  poolKey: gone.key' }, 'CONFIG_UNREADABLE', 8],
  ['admission.poolKey', { admission: '\n  pool: pool.json\n  poolKey: root.json' }, 'CONFIG_KEY', 8],
  ['admission.poolKey', { admission: '\n  pool: pool.json\n  poolKey: other.key' }, 'CONFIG_INVALID', 8],
  ['labels.zone', {}, 'CONFIG_INVALID', 5],
  ['api.tokenFile', { api: '\n  listen: 127.0.0.1:0\n  tokenFile: gone' }, 'CONFIG_UNREADABLE', 11],
  ['api.tokenFile', { api: '\n  listen: 127.0.0.1:0\n  tokenFile: short.token' }, 'CONFIG_INVALID', 11],
  ['api.tokenFile', { api: '\n  listen: 127.0.0.1:0\n  tokenFile: two-lines.token' }, 'CONFIG_INVALID', 11],
  ['api.tokenFile', { api: '\n  listen: 127.0.0.1:0\n  tokenFile: umlauts.token' }, 'CONFIG_INVALID', 11],
  ['seeds', { labels: '{}', seeds: '\n  - /ip4/10.0.0.2/tcp/7400' }, 'CONFIG_INVALID', 11],
])('%s with %j: %s at line %i', async (key, change, code, line) => {
  const file = join(dir, 'node.yaml')
  const text = Object.entries({ ...SETTINGS, ...change }).map(([setting, value]) => `${setting}: ${value}\n`)
  writeFileSync(file, text.join(''))
  await expect(startNode(loadConfig(file, {}, new Map()), '0.0.0')).rejects.toMatchObject({
    code,
    message: expect.stringMatching(new RegExp(`^${file}:${line}: ${key}: `)),
  })
})

test('what overrode the file is to blame, not its line', async () => {
  const file = join(dir, 'node.yaml')
  writeFileSync(file, 'root: root.json\ndata: data\n')
  const config = loadConfig(file, {}, new Map([['root', join(dir, 'gone.json')]]))
  await expect(startNode(config, '0.0.0')).rejects.toMatchObject({
    message: expect.stringMatching(/^command line: root: .*gone\.json: ENOENT/),
  })
})
