/** `doctor` as another user than the node's, beside one that runs, perhaps. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkAdmission, checkKeyFiles } from '../../../src/daemon/doctor/keys.ts'
import { checkStore } from '../../../src/daemon/doctor/store.ts'
import { LIMITS } from '../../../src/limits.ts'
import { IDENTITY_FILE, newIdentityPem } from '../../../src/net/identity.ts'
import { levelDatabase } from '../../../src/store/database.ts'
import { FORMAT, FORMAT_KEY } from '../../../src/store/keys.ts'
import { LevelStore } from '../../../src/store/level.ts'
import { FORMAT_RECORD, writeRecord } from '../../../src/store/records.ts'

const NOBODY = 65_534

let dir: string
let config: NodeConfig
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-doctor-'))
  const data = join(dir, 'data')
  const pool = { pool: join(dir, 'pool.json'), poolKey: join(dir, 'pool.key') }
  config = { data, api: {}, admission: pool } as unknown as NodeConfig
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true })
})

function started(): void {
  mkdirSync(join(config.data, 'store'), { recursive: true })
  writeFileSync(join(config.data, 'store/CURRENT'), 'MANIFEST-000001\n')
  writeFileSync(join(config.data, IDENTITY_FILE), newIdentityPem(), { mode: 0o600 })
}

/** By a user who may not look into the data folder. */
async function shutOut<T>(look: () => T | Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0
  chmodSync(config.data, 0)
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    return await look()
  } finally {
    if (isRoot) process.seteuid?.(0)
    chmodSync(config.data, 0o700)
  }
}

test('a store that is not there yet is made at the first start', async () => {
  expect(await checkStore(config)).toMatchObject({ state: 'none', finding: { ok: true } })
})

test('one that cannot be looked at is not missing', async () => {
  mkdirSync(config.data)
  writeFileSync(join(config.data, 'store'), '')
  expect(await checkStore(config)).toMatchObject({
    state: 'unknown',
    finding: { ok: false, text: expect.stringContaining('ENOTDIR'), advice: 'check the disk' },
  })
})

test('whether a node runs on the store of another user is not known', async () => {
  started()
  vi.spyOn(process, 'geteuid').mockReturnValue(NOBODY)
  expect(await checkStore(config)).toMatchObject({
    state: 'unknown',
    finding: { ok: false, advice: expect.stringMatching(/^run confmesh doctor as user \d+$/) },
  })
})

test('nor of one that this user may not look at, whose identity is not missing either', async () => {
  started()
  expect(await shutOut(() => checkStore(config))).toMatchObject({
    state: 'unknown',
    finding: { ok: false, text: expect.stringContaining('EACCES') },
  })
  const [identity] = await shutOut(() => checkKeyFiles(config))
  expect(identity).toMatchObject({ check: 'key identity', ok: false })
  expect(await shutOut(() => checkAdmission(config))).toMatchObject([
    { ok: false, advice: expect.stringContaining('as the node') },
  ])
})

test('a store that a newer build wrote does not start here, and is said so', async () => {
  const dir = join(config.data, 'store')
  mkdirSync(config.data)
  const store = new LevelStore({
    dir,
    floorDir: join(config.data, 'floor'),
    limits: LIMITS,
    log: { note: () => {} },
  })
  await store.open()
  await store.close()
  const settings = { ...config, limitsInForce: LIMITS } as NodeConfig
  expect(await checkStore(settings)).toMatchObject({ finding: { ok: true } })
  const database = levelDatabase(dir, { mustExist: true })
  await database.open()
  const value = writeRecord(FORMAT_RECORD, FORMAT_KEY, FORMAT + 1)
  await database.batch([{ type: 'put', key: FORMAT_KEY, value }], true)
  await database.close()
  expect(await checkStore(settings)).toMatchObject({
    state: 'stopped',
    finding: {
      ok: false,
      text: expect.stringContaining(`has format ${FORMAT + 1}`),
      advice: 'run the build that wrote it',
    },
  })
})
