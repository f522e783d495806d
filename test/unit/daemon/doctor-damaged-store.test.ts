/** The doctor looks at a store as a start does, and changes nothing of what people may want to look at. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkStore } from '../../../src/daemon/doctor/store.ts'
import { LIMITS } from '../../../src/limits.ts'
import { type Database, levelDatabase } from '../../../src/store/database.ts'

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'confmesh-doctor-'))
})
afterEach(() => rm(data, { recursive: true }))

const dir = () => join(data, 'store')
const check = (maxCheckedStoreBytes: number = LIMITS.maxCheckedStoreBytes) =>
  checkStore({ data, limitsInForce: { ...LIMITS, maxCheckedStoreBytes } } as NodeConfig)
const put = (database: Database, key: string) =>
  database.batch([{ type: 'put', key, value: new Uint8Array(100) }], true)

/** LevelDB's files but for its own notes. */
async function files(): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(dir())).filter((name) => !/^LO(G|CK)/.test(name)).sort()
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir(), name))] as const)),
  )
}

/** A log of three records, the second of which has a wrong byte: opening LevelDB drops the third with it. */
async function damagedLog(): Promise<string> {
  const database = levelDatabase(dir())
  await database.open()
  for (const key of ['a', 'b', 'c']) await put(database, key)
  await database.close()
  const [name = ''] = (await readdir(dir())).filter((each) => each.endsWith('.log'))
  const log = await readFile(join(dir(), name))
  log[200] = (log[200] ?? 0) ^ 1
  await writeFile(join(dir(), name), log)
  return join(dir(), name)
}

test('a damaged store is said to be damaged, and stays as it is', async () => {
  const path = await damagedLog()
  const before = await files()
  expect(await check()).toMatchObject({
    state: 'stopped',
    finding: { ok: false, text: expect.stringContaining(path), advice: expect.stringContaining('verify') },
  })
  expect(await files()).toEqual(before)
})

test('of one too large to be read through it is said as well where its last two lives did not close it', async () => {
  const path = await damagedLog()
  const before = await files()
  await writeFile(`${dir()}-ends`, '002')
  expect(await check(0)).toMatchObject({ finding: { ok: false, text: expect.stringContaining(path) } })
  expect([await files(), await readFile(`${dir()}-ends`, 'latin1')]).toEqual([before, '002'])
  await writeFile(`${dir()}-ends`, '001')
  expect(await check(0)).toMatchObject({ finding: { ok: true } })
})

test('of one in which a run met damage it is said, and it is not opened', async () => {
  await damagedLog()
  const before = await files()
  await writeFile(`${dir()}.damaged`, '')
  expect(await check(0)).toMatchObject({
    state: 'stopped',
    finding: { ok: false, text: expect.stringContaining('in the last run') },
  })
  expect(await files()).toEqual(before)
})

test('one that has lost its CURRENT is none that is yet to be made, however large it is', async () => {
  await damagedLog()
  await rm(join(dir(), 'CURRENT'))
  const before = await files()
  expect(await check(0)).toMatchObject({
    state: 'stopped',
    finding: {
      ok: false,
      text: expect.stringContaining('CURRENT'),
      advice: expect.stringContaining('verify'),
    },
  })
  expect(await files()).toEqual(before)
})

test('a sound one opens', async () => {
  expect(await check()).toMatchObject({ state: 'none', finding: { ok: true } })
  const database = levelDatabase(dir())
  await database.open()
  await put(database, 'a')
  await database.close()
  expect(await check()).toMatchObject({ state: 'stopped', finding: { ok: true } })
})

test('of one in use nothing is said but that: its files are being written', async () => {
  const database = levelDatabase(dir())
  await database.open()
  const [name = ''] = (await readdir(dir())).filter((each) => each.endsWith('.log'))
  await writeFile(join(dir(), name), Uint8Array.of(1, ...new Uint8Array(99)))
  expect(await check()).toMatchObject({ state: 'running', finding: { ok: true } })
  await database.close()
})
