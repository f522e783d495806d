import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkFolders, type StoreState } from '../../../src/daemon/doctor/store.ts'
import { LIMITS } from '../../../src/limits.ts'
import { lockDirectory } from '../../../src/store/lock.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../trust/fixtures.ts'

let dir: string
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'confmesh-doctor-')))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('of an emptyDir, which the node’s user cannot close, is said where a pod has room for files', async () => {
  const shared = join(dir, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o2777)
  const config = { data: join(dir, 'data'), materialize: { dir: join(shared, 'files') } }
  expect(await checkFolders(config as unknown as NodeConfig, 'none')).toMatchObject([
    { check: 'data folder', ok: true },
    {
      check: 'materialize.dir',
      ok: false,
      text: expect.stringContaining(`${shared}: may be written by everyone`),
      advice:
        "name a folder that only the node's user and root may change, no link of others on the way; in a pod see docs/operations.md#in-kubernetes",
    },
  ])
})

test('a folder that another node holds is said, as a node with it would not start', async () => {
  const [files, floors] = [join(dir, 'files'), join(dir, 'floors')]
  const config = { data: join(dir, 'data'), floorDir: floors, materialize: { dir: files } }
  const failing = async (state: StoreState) =>
    (await checkFolders(config as unknown as NodeConfig, state)).filter(({ ok }) => !ok)
  for (const folder of [files, floors]) mkdirSync(folder)
  expect(await failing('none')).toEqual([])
  // Looking makes nothing.
  expect([files, floors].flatMap((folder) => readdirSync(folder))).toEqual([])

  const locks = [await lockDirectory(files), await lockDirectory(floors)]
  const advice = 'give each node its own'
  const held = [
    { check: 'floor folder', ok: false, text: `${floors}: in use by another node`, advice },
    { check: 'materialize.dir', ok: false, text: `${files}: in use by another node`, advice },
  ]
  expect(await failing('none')).toEqual(held)
  expect(await failing('stopped')).toEqual(held)
  // It is the node's own lock then.
  expect(await failing('running')).toEqual([])
  expect(await failing('unknown')).toEqual([])
  for (const lock of locks) await lock.release()
  expect(await failing('none')).toEqual([])
})

test('the floor folder is looked at where the configuration names none as well', async () => {
  const root = join(dir, 'root.json')
  writeFileSync(root, encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys)))
  const config = { root, data: join(dir, 'data'), limitsInForce: LIMITS } as NodeConfig
  const folder = join(dir, 'data', 'floor', rootOne().fleetId.slice(0, 8))
  const lock = await lockDirectory(folder)
  expect(await checkFolders(config, 'none')).toMatchObject([
    { check: 'data folder', ok: true },
    { check: 'floor folder', ok: false, text: `${folder}: in use by another node` },
  ])
  await lock.release()
})

test.runIf(process.geteuid?.() === 0)(
  'what is to be made in a sticky folder of root’s is in order, before and after it is',
  async () => {
    const shared = join(dir, 'shared')
    mkdirSync(shared)
    chmodSync(shared, 0o1777)
    const files = join(shared, 'files')
    const config = { data: join(dir, 'data'), materialize: { dir: files } } as unknown as NodeConfig
    const seen = async () => (await checkFolders(config, 'none')).at(-1)
    expect(await seen()).toMatchObject({ check: 'materialize.dir', ok: true })
    mkdirSync(files, { mode: 0o755 })
    expect(await seen()).toMatchObject({ check: 'materialize.dir', ok: true })
  },
)
