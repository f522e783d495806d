/** What a life leaves for the next, and what fails before the first commit: neither goes past what guards the store. */
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS, type Limits } from '../../src/limits.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { envelopeKey, PREFIX, quarantineKey } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import type { StoreEvent } from '../contract/store-contract.ts'
import { FLEET, makeRelease, withDatabase } from '../contract/store-fixtures.ts'

const [one, two] = [1, 2].map((counter) =>
  makeRelease(counter, [{ path: 'app.yaml', content: `version: ${counter}\n` }]),
) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]
const FAST: Limits = { ...LIMITS, storeProbeBytes: 1_000 }
const noSpace = () =>
  Object.assign(new Error('IO error: 5.log: No space left on device'), { code: 'LEVEL_IO_ERROR' })

let base: string
let stores: LevelStore[]
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-guard-'))
  stores = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  await rm(base, { recursive: true, force: true })
})

const dir = () => join(base, 'store')

/** `fault` may take the place of some of LevelDB's calls. */
async function loaded(
  fault: (raw: Database) => Partial<Database> = () => ({}),
  limits: Limits = FAST,
  notes: EffectOf<'note'>[] = [],
) {
  const events: StoreEvent[] = []
  const raw = levelDatabase(dir())
  const store = new LevelStore({
    dir: dir(),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits,
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
    database: (of) => (of === dir() ? { ...raw, ...fault(raw) } : levelDatabase(of)),
  })
  stores.push(store)
  await store.open()
  return { store, raw, notes, events, snapshot: await store.load() }
}

/** A life that writes both releases. */
async function lived(): Promise<void> {
  const { store } = await loaded()
  await store.commit([...one.writes, ...two.writes], true)
  await store.close()
}

test('what took the place of a damaged store opens once there is room for that as well', async () => {
  await lived()
  await writeFile(join(base, 'store.damaged'), '')
  const setAside = async () => (await readdir(base)).filter((name) => name.startsWith('store.'))
  const { snapshot, notes } = await loaded((raw) => ({
    open: async () => {
      if ((await setAside()).length > 0) throw noSpace()
      await raw.open()
    },
  }))
  expect([...snapshot.whole].sort()).toEqual([one.id, two.id].sort())
  expect(notes.map(({ code }) => code)).toEqual(['STORE_CORRUPT', 'STORE_FULL'])
})

/** The folder is locked by a LevelDB, whose first file takes no byte, once: it is removed with what failed. */
async function fullOnce(folder: string): Promise<void> {
  await mkdir(join(folder, '.lock'), { recursive: true })
  await symlink('/dev/full', join(folder, '.lock', 'MANIFEST-000001'))
}

test('where no folder can be locked for want of room, what was set aside gives way first', async () => {
  await fullOnce(join(base, 'floor'))
  for (const number of [1, 2]) await mkdir(join(base, `store.corrupt-${number}`))
  const { notes } = await loaded()
  expect((await readdir(base)).filter((name) => name.includes('corrupt'))).toEqual(['store.corrupt-2'])
  const text = `${dir()}: no room; ${dir()}.corrupt-1, kept of a damaged store, is removed`
  expect(notes).toEqual([{ kind: 'note', level: 'warn', code: 'STORE_FULL', text }])
})

test('where a folder lies on another disk that is full, what was set aside stays: no room comes of it there', async () => {
  const elsewhere = await mkdtemp('/dev/shm/confmesh-guard-')
  try {
    expect((await stat(elsewhere)).dev).not.toBe((await stat(base)).dev)
    await symlink(elsewhere, join(base, 'floor'))
    await fullOnce(elsewhere)
    for (const number of [1, 2]) await mkdir(join(base, `store.corrupt-${number}`))
    const notes: EffectOf<'note'>[] = []
    await expect(loaded(undefined, FAST, notes)).rejects.toMatchObject({
      code: 'STORE_FULL',
      details: { dir: join(base, 'floor') },
    })
    expect((await readdir(base)).sort()).toEqual(['floor', 'store.corrupt-1', 'store.corrupt-2'])
    expect(notes).toEqual([])
  } finally {
    await rm(elsewhere, { recursive: true })
  }
})

test('where nothing was set aside, a folder that cannot be locked for want of room is said', async () => {
  await fullOnce(join(base, 'floor'))
  await expect(loaded()).rejects.toMatchObject({
    code: 'STORE_FULL',
    message: expect.stringContaining(join(base, 'floor')),
  })
})

test('damaged records kept for people to look at are counted over all lives', async () => {
  await lived()
  const kept: boolean[] = []
  for (const { id } of [one, two]) {
    const { store, raw } = await loaded(undefined, { ...FAST, maxQuarantined: 1 })
    await raw.batch([{ type: 'put', key: envelopeKey(id), value: new Uint8Array(9) }], true)
    expect(await store.readEnvelope(id)).toBeUndefined()
    kept.push((await raw.get(quarantineKey(envelopeKey(id)))) !== undefined)
    await store.close()
  }
  expect(kept).toEqual([true, false])
})

test('where the audit log of an earlier build cannot leave the store, nothing is written before LevelDB opened anew', async () => {
  await lived()
  const key = `${PREFIX.audit}${'7'.padStart(16, '0')}/${'1'.padStart(16, '0')}`
  await withDatabase(dir(), (database) =>
    database.batch([{ type: 'put', key, value: new Uint8Array(9) }], true),
  )
  let full = true
  const calls: string[] = []
  const { store, events, notes } = await loaded((raw) => ({
    open: async () => {
      calls.push('open')
      await raw.open()
    },
    batch: async (...of) => {
      if (full) throw noSpace()
      calls.push('batch')
      await raw.batch(...of)
    },
  }))
  expect(notes.map(({ text }) => text)).toContainEqual(expect.stringContaining('stays in the store'))
  expect(events).toEqual([{ kind: 'storeMode', readOnly: true, code: 'STORE_FULL' }])
  full = false
  await store.commit(one.writes, true)
  expect(calls.slice(0, 3)).toEqual(['open', 'open', 'batch'])
  expect(events.at(-1)).toEqual({ kind: 'storeMode', readOnly: false })
})
