/** A whole node whose data folder a volume has given to a group. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../src/codec/root.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { startNode } from '../../src/daemon/node.ts'
import { newIdentityPem } from '../../src/net/identity.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../unit/trust/fixtures.ts'

let dir: string
const modeOf = (path: string) => statSync(join(dir, path)).mode & 0o777

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-own-keys-'))
  mkdirSync(join(dir, 'data'))
  const root = encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys))
  writeFileSync(join(dir, 'root.json'), root)
  for (const path of ['data/identity.key', 'data/freshness.key', 'elsewhere.key'])
    writeFileSync(join(dir, path), newIdentityPem(), { mode: 0o600 })
})
afterEach(() => rmSync(dir, { recursive: true }))

/** What it counts as refused under this code, of modes unless said. */
async function run(
  freshness: string,
  more: readonly string[] = ['api: { listen: "127.0.0.1:0" }'],
  code = 'CONFIG_KEY_MODE',
): Promise<string | undefined> {
  const settings = [
    'root: root.json',
    'data: data',
    'listen: [/ip4/127.0.0.1/tcp/0]',
    `freshness: { key: ${freshness} }`,
    ...more,
    'log: { level: error }',
  ]
  writeFileSync(join(dir, 'node.yaml'), `${settings.join('\n')}\n`)
  const node = await startNode(loadConfig(join(dir, 'node.yaml'), {}, new Map()), '0.0.0')
  try {
    const metrics = await (await fetch(`${node.ready.api}/metrics`)).text()
    return new RegExp(`^confmesh_refused_total\\{code="${code}"\\} (\\d+)$`, 'm').exec(metrics)?.[1]
  } finally {
    await node.stop()
  }
}

test('starts, and closes its keys there to that group with a warning for each', async () => {
  const keys = ['data/identity.key', 'data/freshness.key']
  for (const path of keys) chmodSync(join(dir, path), 0o660)
  expect(await run('data/freshness.key')).toBe('2')
  expect(keys.map(modeOf)).toEqual([0o600, 0o600])
  expect(await run('data/freshness.key')).toBe('0')
})

test('a key elsewhere, and one that everyone may read, stay as they are and are refused', async () => {
  chmodSync(join(dir, 'elsewhere.key'), 0o660)
  await expect(run('elsewhere.key')).rejects.toMatchObject({ code: 'CONFIG_KEY_MODE' })
  chmodSync(join(dir, 'data/identity.key'), 0o644)
  await expect(run('data/freshness.key')).rejects.toMatchObject({ code: 'CONFIG_KEY_MODE' })
  expect(['elsewhere.key', 'data/identity.key'].map(modeOf)).toEqual([0o660, 0o644])
})

test.each([
  ['1', '"0440"', '{ listen: "127.0.0.1:0" }'],
  ['0', '"0444"', '{ listen: "127.0.0.1:0" }'],
  ['0', '"0440"', '{ listen: "127.0.0.1:0", public: true }'],
])(
  'warnings where the API gives away files that their mode withholds: %s with %s and %s',
  async (count, mode, api) => {
    const more = [`api: ${api}`, `materialize: { dir: files, mode: ${mode} }`]
    expect(await run('data/freshness.key', more, 'CONFIG_API_PUBLIC')).toBe(count)
  },
)
