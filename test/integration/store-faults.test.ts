/** A disk that fails in the middle of the work: what was promised stays, what cannot be kept is said, and it goes on by itself. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS, type Limits } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import type { Snapshot } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { channelKey, envelopeKey, PREFIX, quarantineKey } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import type { StoreEvent } from '../contract/store-contract.ts'
import { blockKeyOf, CHANNEL, FLEET, makeFloor, makeRelease } from '../contract/store-fixtures.ts'

const [one, two] = [1, 2].map((counter) =>
  makeRelease(counter, [{ path: 'app.yaml', content: `version: ${counter}\n`.repeat(20) }]),
) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]
const blockOf = (release: typeof one) => {
  const digest = [...release.blocks.keys()].find((each) => !release.pages.includes(each))
  if (digest === undefined) throw new Error('a release without a block')
  return digest
}
const isKeyOf = (block: Digest, key: string) => key.startsWith(PREFIX.block) && key.endsWith(block)
/** A failed write is followed by a look whether the disk takes bytes again. */
const FAST: Limits = { ...LIMITS, storeProbeBytes: 1_000 }
const errorOf = (code: string, message: string): Error => Object.assign(new Error(message), { code })
const corrupt = () => errorOf('LEVEL_CORRUPTION', 'Corruption: block checksum mismatch')
const ioError = () => errorOf('LEVEL_IO_ERROR', 'IO error: 5.ldb: Input/output error')
const noSpace = () => errorOf('LEVEL_IO_ERROR', 'IO error: 5.log: No space left on device')

let base: string
let stores: LevelStore[]
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-faults-'))
  stores = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  await rm(base, { recursive: true, force: true })
})

interface Opened {
  readonly store: LevelStore
  readonly notes: EffectOf<'note'>[]
  readonly events: StoreEvent[]
  /** LevelDB itself, behind the faults. */
  readonly raw: Database
}

/** Not open yet. `fault` may take the place of some of LevelDB's calls. */
function storeWith(fault: (raw: Database) => Partial<Database> = () => ({}), limits: Limits = FAST): Opened {
  const notes: Opened['notes'] = []
  const events: Opened['events'] = []
  const raw = levelDatabase(join(base, 'store'))
  const store = new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits,
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
    database: (dir) => {
      const one = dir === join(base, 'store') ? raw : levelDatabase(dir)
      return { ...one, ...fault(one) }
    },
  })
  stores.push(store)
  return { store, notes, events, raw }
}

async function loaded(
  ...of: Parameters<typeof storeWith>
): Promise<Opened & { readonly snapshot: Snapshot }> {
  const opened = storeWith(...of)
  await opened.store.open()
  return { ...opened, snapshot: await opened.store.load() }
}

/** A life that writes both releases. */
async function lived(): Promise<void> {
  const { store } = await loaded()
  await store.commit(one.writes, true)
  await store.commit(two.writes, true)
  await store.close()
}

const setAside = async () => (await readdir(base)).filter((name) => name.startsWith('store.')).sort()

/** Past the store, as if the disk had done it. */
async function damage(database: Database, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const value = (await database.get(key))?.slice()
    if (value === undefined) throw new Error(`nothing under ${key}`)
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
    await database.batch([{ type: 'put', key, value }], true)
  }
}

describe('a table that LevelDB finds damaged', () => {
  test('while it writes: the commit fails, and the next start keeps what is sound in a new store', async () => {
    await lived()
    let broken = false
    const { store } = await loaded((raw) => ({
      batch: async (...of) => (broken ? Promise.reject(corrupt()) : raw.batch(...of)),
    }))
    broken = true
    await expect(store.commit(one.writes, true)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await expect.poll(setAside).toEqual(['store.damaged'])
    await store.close()

    const next = await loaded()
    expect(next.notes).toMatchObject([
      { code: 'STORE_CORRUPT', text: expect.stringContaining('its tables were damaged in the last run') },
    ])
    expect(next.snapshot).toMatchObject({ corrupt: 1, floorLost: false })
    expect([...next.snapshot.whole].sort()).toEqual([one.id, two.id].sort())
    for (const [digest, bytes] of two.blocks) expect(await next.store.readBlock(digest)).toEqual(bytes)
    await next.store.close()
    expect(await setAside()).toEqual(['store.corrupt-1'])
    expect((await loaded()).notes).toEqual([])
  })

  test('while it writes, and whose store is gone by the next start: that begins with an empty one', async () => {
    await lived()
    await rm(join(base, 'store'), { recursive: true })
    await writeFile(join(base, 'store.damaged'), '')
    const { snapshot, notes } = await loaded()
    expect(snapshot.whole).toEqual([])
    expect(snapshot.floors).toEqual([makeFloor(2, [two.id])])
    expect(notes).toMatchObject([{ code: 'STORE_CORRUPT', text: expect.stringContaining('it is gone') }])
    expect(await setAside()).toEqual([])
  })

  test('while it reads a block: the block is lost, to be fetched again, and the rest is served', async () => {
    await lived()
    const lost = blockOf(one)
    const { store, events } = await loaded((raw) => ({
      get: async (key) => (isKeyOf(lost, key) ? Promise.reject(corrupt()) : raw.get(key)),
    }))
    expect(await store.readBlock(lost)).toBeUndefined()
    expect(store.hasBlock(lost)).toBe(false)
    expect(events).toEqual([{ kind: 'blockLost', digest: lost }])
    expect(await store.readBlock(blockOf(two))).toEqual(two.blocks.get(blockOf(two)))
  })

  test('while it reads everything at the start: a new store with what is sound takes its place', async () => {
    await lived()
    let reads = 0
    const { snapshot, notes } = await loaded((raw) => ({
      async *entries(prefix) {
        reads += 1
        if (reads === 1) throw corrupt()
        yield* raw.entries(prefix)
      },
    }))
    expect([...snapshot.whole].sort()).toEqual([one.id, two.id].sort())
    expect(snapshot).toMatchObject({ corrupt: 1, floorLost: false })
    expect(notes).toMatchObject([
      { code: 'STORE_CORRUPT', text: expect.stringContaining('a table cannot be read') },
    ])
    expect(await setAside()).toEqual(['store.corrupt-1'])
  })

  test('in a store too large to be looked through before it is opened costs the record, not the store', async () => {
    const limits = { ...FAST, maxCheckedStoreBytes: 0 }
    await lived()
    await (await loaded()).store.close() // what lay in the log is in a table now
    let changed = 0
    const wanted = blockOf(one)
    for (const name of await readdir(join(base, 'store'))) {
      const path = join(base, 'store', name)
      const bytes = await readFile(path)
      const at = bytes.indexOf(one.blocks.get(wanted) ?? '')
      if (!name.endsWith('.ldb') || at < 0) continue
      bytes[at] = (bytes[at] ?? 0) ^ 1
      await writeFile(path, bytes)
      changed += 1
    }
    expect(changed).toBe(1)
    const { store, snapshot } = await loaded(undefined, limits)
    expect(snapshot.corrupt).toBe(0)
    expect(await store.readBlock(wanted)).toBeUndefined()
    expect(await store.readEnvelope(one.id)).toEqual(one.envelope)
    expect(await setAside()).toEqual([])
  })
})

describe('a disk that cannot be read', () => {
  test('is no damage: nothing is set aside, and whoever reads is told', async () => {
    await lived()
    let broken = false
    const { store } = await loaded((raw) => ({
      get: async (key) => (broken ? Promise.reject(ioError()) : raw.get(key)),
    }))
    broken = true
    await expect(store.readBlock(blockOf(one))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    broken = false
    expect(await store.readBlock(blockOf(one))).toEqual(one.blocks.get(blockOf(one)))
    expect(await setAside()).toEqual([])
  })

  test('at the start ends it, with everything where it was', async () => {
    await lived()
    const failing = storeWith(() => ({ open: () => Promise.reject(ioError()) }))
    await expect(failing.store.open()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    const reading = storeWith(() => ({
      // biome-ignore lint/correctness/useYield: the disk fails before the first record.
      async *entries() {
        throw ioError()
      },
    }))
    await reading.store.open()
    await expect(reading.store.load()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await reading.store.close()
    const { snapshot } = await loaded()
    expect(snapshot).toMatchObject({ corrupt: 0, whole: [one.id, two.id].sort() })
  })
})

describe('a disk that is full of damaged stores kept to be looked at', () => {
  const corpses = async (count: number) => {
    for (let at = 1; at <= count; at += 1) await mkdir(join(base, `store.corrupt-${at}`))
  }
  /** No call to LevelDB passes while more than so many are kept. */
  const fullBeyond =
    (most: number) =>
    <Of extends unknown[]>(call: (...of: Of) => Promise<void>) =>
    async (...of: Of) => {
      if ((await setAside()).length > most) throw noSpace()
      return call(...of)
    }

  test('opens once the oldest is gone, and says so', async () => {
    await lived()
    await corpses(3)
    const { store, notes, snapshot } = await loaded((raw) => ({ open: fullBeyond(1)(raw.open) }))
    expect([...snapshot.whole].sort()).toEqual([one.id, two.id].sort())
    expect(await setAside()).toEqual(['store.corrupt-3'])
    const gone = (at: number) => ({
      code: 'STORE_FULL',
      text: expect.stringContaining(`store.corrupt-${at}, kept of a damaged store, is removed`),
    })
    expect(notes).toMatchObject([gone(1), gone(2)])
    await store.close()
  })

  test('opens with none of them where little room is left, since others need some as well', async () => {
    await lived()
    await corpses(2)
    const { snapshot } = await loaded(undefined, { ...FAST, storeProbeBytes: 2 ** 52 })
    expect([...snapshot.whole].sort()).toEqual([one.id, two.id].sort())
    expect(await setAside()).toEqual([])
  })

  test('takes writes again once the oldest is gone, and keeps the rest', async () => {
    const { store, events } = await loaded((raw) => ({
      batch: fullBeyond(1)(raw.batch),
      probe: fullBeyond(1)(raw.probe),
    }))
    await store.commit(one.writes, true)
    await corpses(2)
    await expect(store.commit(two.writes, true)).rejects.toMatchObject({ code: 'STORE_FULL' })
    await store.commit(two.writes, true)
    expect(await setAside()).toEqual(['store.corrupt-2'])
    expect(events).toEqual([
      { kind: 'storeMode', readOnly: true, code: 'STORE_FULL' },
      { kind: 'storeMode', readOnly: false },
    ])
  })
})

test('a store too large to be read through is read through once two lives ended without closing it', async () => {
  const limits = { ...FAST, maxCheckedStoreBytes: 0 }
  await lived()
  await (await loaded()).store.close() // what lay in the log is in a table now
  const [name = ''] = (await readdir(join(base, 'store'))).filter((each) => each.endsWith('.ldb'))
  const path = join(base, 'store', name)
  const table = await readFile(path)
  table[table.length - 20] = (table.at(-20) ?? 0) ^ 1 // of the zeros before the last bytes: nobody else looks at them
  await writeFile(path, table)
  for (const ends of [0, 1, 2]) {
    const { store, notes } = await loaded(undefined, limits)
    expect(notes.map(({ code }) => code)).toEqual(ends < 2 ? [] : ['STORE_CORRUPT'])
    expect(await readFile(join(base, 'store-ends'), 'utf8')).toBe(ends < 2 ? `00${ends + 1}` : '001')
    await store.close()
    expect(await readdir(base)).not.toContain('store-ends')
    await writeFile(join(base, 'store-ends'), `00${ends + 1}`) // as if it had not been closed
  }
})

test('a store that a full disk keeps from being replaced says so, and starts once there is room', async () => {
  await lived()
  await writeFile(join(base, 'store.damaged'), '')
  const full = storeWith(() => ({ batch: () => Promise.reject(noSpace()) }))
  await expect(full.store.open()).rejects.toMatchObject({ code: 'STORE_FULL' })
  const { snapshot } = await loaded()
  expect(snapshot.floors.every(({ top }) => top.counter === 2)).toBe(true)
  expect(snapshot.whole).toEqual([one.id, two.id].sort())
})

describe('a record that is damaged while the node runs', () => {
  test('and read by two at once is set aside once', async () => {
    await lived()
    const { store, raw, notes } = await loaded()
    await damage(raw, await blockKeyOf(raw, blockOf(one)), envelopeKey(one.id))
    const read = await Promise.all([
      store.readBlock(blockOf(one)),
      store.readBlock(blockOf(one)),
      store.readEnvelope(one.id),
      store.readEnvelope(one.id),
    ])
    expect(read).toEqual([undefined, undefined, undefined, undefined])
    expect(notes.map(({ text }) => /first (\w+)\//.exec(text)?.[1]).sort()).toEqual(['block', 'envelope'])
  })

  test('is kept for people to look at, so many and no more; beyond that it is only removed', async () => {
    await lived()
    const { store, raw, notes } = await loaded(undefined, { ...FAST, maxQuarantined: 1 })
    const keys = [one, two].map((release) => envelopeKey(release.id))
    await damage(raw, ...keys)
    for (const { id } of [one, two]) expect(await store.readEnvelope(id)).toBeUndefined()
    const kept = await Promise.all(keys.map(async (key) => (await raw.get(quarantineKey(key))) !== undefined))
    expect(kept).toEqual([true, false])
    for (const key of keys) expect(await raw.get(key)).toBeUndefined()
    const fates = notes.map(({ text }) => /records (.*), first/.exec(text)?.[1])
    expect(fates).toEqual(['set aside', 'taken out (1 not kept: 1 are already)'])
  })

  test('does not keep collection from its work, and costs no other release its blocks', async () => {
    await lived()
    const { store, raw } = await loaded()
    const [page] = two.pages
    if (page === undefined) throw new Error('a release without a page')
    await damage(raw, envelopeKey(one.id), await blockKeyOf(raw, page))
    // Whose page is damaged may name any block: nothing is collected that no other page names.
    const bound = { maxCacheBytes: 0, uploads: [], awaited: [two.id], envelopes: [] }
    expect(await store.collect([two.id], bound)).toEqual([])
    expect(await store.readBlock(blockOf(two))).toEqual(two.blocks.get(blockOf(two)))
    expect(await store.readEnvelope(one.id)).toBeUndefined()
  })

  test('and is not taken away either, for the disk is full: it is said, and not served all the same', async () => {
    await lived()
    let full = false
    const { store, raw, notes } = await loaded((database) => ({
      batch: (...of) => (full ? Promise.reject(noSpace()) : database.batch(...of)),
    }))
    await damage(raw, envelopeKey(one.id))
    full = true
    expect(await store.readEnvelope(one.id)).toBeUndefined()
    expect(await store.readEnvelope(one.id)).toBeUndefined()
    expect(notes.map(({ code }) => code)).toContain('STORE_FAILED')
    full = false
  })
})

test.each([
  ['damage to them', (path: string) => writeFile(path, 'no manifest')],
  ['a lost one', (path: string) => rm(path)],
])('the lock’s own files hold nothing: %s costs nothing', async (_, spoil) => {
  await lived()
  const lock = join(base, 'floor', '.lock')
  for (const name of await readdir(lock)) if (/^MANIFEST/.test(name)) await spoil(join(lock, name))
  const { snapshot } = await loaded()
  expect(snapshot).toMatchObject({ corrupt: 0, whole: [one.id, two.id].sort() })
  await expect(storeWith().store.open()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
})

test('two nodes with one store are kept apart by it, whatever folders else they have', async () => {
  await lived()
  await loaded()
  const second = new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'another'),
    fleetId: FLEET,
    limits: FAST,
    log: { note: () => {} },
  })
  await expect(second.open()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  expect(await setAside()).toEqual([])
})

test('a floor without a release, as a raised epoch makes it, is there after a restart', async () => {
  const floor = { ...makeFloor(0, []), top: { epoch: 7, counter: 0, publisher: '' as const } }
  const first = await loaded()
  await first.store.commit([{ kind: 'floor', floor }], true)
  await first.store.close()
  expect((await loaded()).snapshot.floors).toEqual([floor, floor])
})

test('a record that no build can have written is no channel: the rest of the store is read', async () => {
  await lived()
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  await database.batch([{ type: 'put', key: channelKey(CHANNEL), value: new Uint8Array(3) }], true)
  await database.close()
  const { snapshot } = await loaded()
  expect(snapshot).toMatchObject({ corrupt: 1, channels: [], whole: [one.id, two.id].sort() })
})
