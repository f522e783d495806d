import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { loadConfig, type NodeConfig } from '../../../src/daemon/config.ts'
import { checkAdmission, checkFreshnessKey, checkKeyFiles } from '../../../src/daemon/doctor/keys.ts'
import { foldersOf } from '../../../src/daemon/folders.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { IDENTITY_FILE, newIdentityPem } from '../../../src/net/identity.ts'
import { floorFiles } from '../../../src/store/floor-files.ts'
import { issuePool } from '../../../src/trust/certificates.ts'
import { removePool, setFreshness } from '../../../src/trust/edit.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { admissionKey, name, rootKeys, rootOne, signedRoot } from '../trust/fixtures.ts'

const ROOT = rootOne()
const pool = generatePrivateKey('ed25519')
const freshness = generatePrivateKey('ed25519')
const YEAR_MS = 365 * 86_400_000

let dir: string
let config: NodeConfig

function poolSignedBy(signer: typeof admissionKey): string {
  const validity = { notBefore: Date.now() - 1_000, notAfter: Date.now() + YEAR_MS }
  const grant = { name: name('hosts'), key: pool.key.public, labels: new Map(), ...validity }
  return encodeEnvelopeJson(issuePool(grant, signer))
}

/** A host whose root.json is still version 1. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-doctor-'))
  const write = (path: string, text: string) => writeFileSync(join(dir, path), text, { mode: 0o600 })
  write('root.json', encodeEnvelopeJson(signEnvelope('root', encodeRoot(ROOT), rootKeys)))
  write('pool.key', pool.pem)
  write('freshness.key', freshness.pem)
  write('pool.json', poolSignedBy(admissionKey))
  mkdirSync(join(dir, 'data'))
  write(join('data', IDENTITY_FILE), newIdentityPem())
  write(
    'node.yaml',
    'root: root.json\ndata: data\nfreshness: { key: freshness.key }\nadmission: { pool: pool.json, poolKey: pool.key }\n',
  )
  config = loadConfig(join(dir, 'node.yaml'), {}, new Map())
})
afterEach(() => rmSync(dir, { recursive: true }))

/** The node took it in from its peers; it lies beside the floors. */
async function adopted(root: TrustRoot): Promise<void> {
  const { floorDir } = foldersOf(config, () => ROOT.fleetId)
  const files = floorFiles(floorDir, ROOT.fleetId, LIMITS)
  await files.load()
  const prepared = await files.prepare([], { version: root.version, envelope: signedRoot(root) })
  await prepared.show()
}

test('of each key file that will not do it is said what to do', () => {
  expect(checkKeyFiles(config).every(({ ok }) => ok)).toBe(true)
  writeFileSync(join(dir, 'data', IDENTITY_FILE), '')
  writeFileSync(join(dir, 'pool.key'), 'junk')
  chmodSync(join(dir, 'freshness.key'), 0o644)
  const advice = () => checkKeyFiles(config).map((finding) => [finding.check, finding.advice])
  expect(advice()).toEqual([
    ['key identity', expect.stringMatching(/^put its copy back, or remove it: .* new peer id/)],
    ['key admission.poolKey', 'put its copy back, or name another key'],
    ['key freshness.key', `chmod 600 ${join(dir, 'freshness.key')}`],
  ])
  rmSync(join(dir, 'freshness.key'))
  expect(advice()[2]).toEqual(['key freshness.key', 'check the path and its permissions'])
})

test('of keys in the data folder that their group may read it is said that the node closes them', async () => {
  const key = join(dir, 'data/freshness.key')
  renameSync(join(dir, 'freshness.key'), key)
  const own = { ...config, freshness: { key } }
  const identity = join(dir, 'data', IDENTITY_FILE)
  for (const path of [identity, key, join(dir, 'pool.key')]) chmodSync(path, 0o660)
  const said = (path: string) => ({ ok: true, text: `${path} has mode 0660: the node sets it back to 0600` })
  expect(checkKeyFiles(own)).toMatchObject([
    said(identity),
    { ok: false, advice: `chmod 600 ${join(dir, 'pool.key')}` },
    said(key),
  ])
  expect(await checkFreshnessKey(own)).toHaveLength(1)
  writeFileSync(key, 'junk')
  expect(checkKeyFiles(own)[2]).toMatchObject({ ok: false, text: expect.stringContaining(key) })
})

test.each([
  ['0123456789abcdef\n', true, undefined],
  ['a pass phrase of some words\n', true, undefined],
  ['0123456789abcde\n', false, 'at least 16'],
  ['0123456789abcdef\n0123456789abcdef\n', false, 'one line of ASCII'],
  ['0123456789abcdefž\n', false, 'one line of ASCII'],
])('a token is one that the node takes and that can be sent: %j', (token, ok, advice) => {
  const tokenFile = join(dir, 'token')
  writeFileSync(tokenFile, token, { mode: 0o600 })
  const last = checkKeyFiles({ ...config, api: { ...config.api, tokenFile } }).at(-1)
  expect(last).toMatchObject({ check: 'key api.tokenFile', ok })
  expect(last?.advice).toBe(advice)
})

test('the certificate is judged by the newest root, as peers judge it', async () => {
  expect(await checkAdmission(config)).toMatchObject([{ ok: true }])
  await adopted(removePool(ROOT, pool.key.id))
  expect(await checkAdmission(config)).toMatchObject([
    { ok: false, text: expect.stringContaining('ADMIT_REMOVED') },
  ])
})

test('a pool is judged before the node has its identity', async () => {
  rmSync(join(dir, 'data', IDENTITY_FILE))
  expect(await checkAdmission(config)).toMatchObject([
    { ok: true, text: expect.stringContaining('of pool hosts') },
  ])
  const stranger = generatePrivateKey('ed25519').key
  writeFileSync(join(dir, 'pool.json'), poolSignedBy(stranger))
  expect(await checkAdmission(config)).toMatchObject([
    {
      ok: false,
      text: expect.stringContaining('ADMIT_REFUSED'),
      advice: expect.stringContaining('#join-a-node'),
    },
  ])
})

test('the freshness key is looked for in the newest root', async () => {
  expect(await checkFreshnessKey(config)).toMatchObject([
    { ok: false, text: expect.stringContaining('root 1') },
  ])
  await adopted(setFreshness(ROOT, { add: [freshness.key.public], remove: [] }))
  expect(await checkFreshnessKey(config)).toMatchObject([
    { ok: true, text: expect.stringContaining('root 2') },
  ])
})
