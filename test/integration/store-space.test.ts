/** What is removed gives its room on the disk back, though LevelDB by itself would keep it. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import type { EffectOf, EventOf, Write } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { DeadSpace } from '../../src/store/dead-space.ts'
import { StoreIndex } from '../../src/store/index-in-memory.ts'
import { blockKey, NO_KEY } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import { putSize } from '../../src/store/operations.ts'
import { digestOf, FLEET, withDatabase } from '../contract/store-fixtures.ts'

const MIB = 1024 * 1024
const BLOCK_BYTES = MIB / 4
/** Twice what lives, what may be dead before anything is done, what LevelDB has in its log, and some tables. */
const boundOf = (liveBytes: number): number => 2 * liveBytes + 48 * MIB
/** As the disk does, once it has come as far. */
const POLL = { timeout: 15_000, interval: 50 }

type Block = Extract<Write, { kind: 'block' }>

let base: string
let stores: LevelStore[]
let notes: EffectOf<'note'>[]
let events: EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>[]
/** Ranges that were merged. */
let compacted: (readonly [string, string])[]
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-space-'))
  stores = []
  notes = []
  events = []
  compacted = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  await rm(base, { recursive: true, force: true })
})

const dir = () => join(base, 'store')

async function loaded(fault: (raw: Database) => Partial<Database> = () => ({})): Promise<LevelStore> {
  const store = new LevelStore({
    dir: dir(),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits: LIMITS,
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
    database: (of) => {
      const raw = levelDatabase(of)
      const database = { ...raw, ...fault(raw) }
      const compact: Database['compact'] = (from, to) => {
        compacted.push([from, to])
        return database.compact(from, to)
      }
      return { ...database, compact }
    },
  })
  stores.push(store)
  await store.open()
  await store.load()
  return store
}

async function diskBytes(): Promise<number> {
  let bytes = 0
  for (const name of await readdir(dir()))
    bytes += await stat(join(dir(), name)).then(
      ({ size }) => size,
      () => 0,
    )
  return bytes
}

let made = 0
const blocks = (mib: number): readonly Block[] =>
  Array.from({ length: 4 * mib }, () => {
    made += 1
    const bytes = new Uint8Array(BLOCK_BYTES).fill(made)
    new DataView(bytes.buffer).setUint32(0, made)
    return { kind: 'block', digest: sha256(bytes), bytes }
  })

async function write(store: LevelStore, written: readonly Block[]): Promise<void> {
  for (const block of written) await store.commit([block], false)
}

/** All goes but these. */
const collect = (store: LevelStore, kept: readonly Block[]): Promise<readonly Digest[]> =>
  store.collect([], {
    maxCacheBytes: 0,
    awaited: [],
    envelopes: [],
    uploads: kept.map(({ digest }) => digest),
  })

/** A store with so much that is gone, and has its room still; ends with what lives. */
async function swollen(deadMib: number, liveMib: number): Promise<readonly Block[]> {
  const store = await loaded(() => ({ compact: async () => {} }))
  await write(store, blocks(deadMib))
  const kept = blocks(liveMib)
  await write(store, kept)
  await collect(store, kept)
  await store.close()
  compacted = []
  notes = []
  return kept
}

test('however many releases pass through it, a store has a small multiple of what lives in it on the disk', async () => {
  let store = await loaded()
  let kept: readonly Block[] = []
  for (let generation = 1; generation <= 24; generation++) {
    const written = blocks(12)
    await write(store, written)
    kept = [...kept.slice(-written.length), ...written]
    await collect(store, kept)
    if (generation !== 6) continue
    await store.close()
    store = await loaded()
  }
  expect(store.bytes()).toBe(24 * MIB)
  await expect.poll(diskBytes, POLL).toBeLessThan(boundOf(24 * MIB))
  for (const { digest, bytes } of kept) expect(await store.readBlock(digest)).toEqual(bytes)
  expect(notes).toEqual([])
})

/** By itself, over a LevelDB of its own with blocks in the order of their numbers. */
async function apart(written: readonly Block[]) {
  const index = new StoreIndex()
  const raw = levelDatabase(dir())
  await raw.open()
  for (const [number, { digest, bytes }] of written.entries()) {
    await raw.batch([{ type: 'put', key: blockKey(digest, number), value: bytes }], false)
    index.addBlock(digest, { bytes: bytes.length, number })
  }
  const compact: Database['compact'] = (from, to) => {
    compacted.push([from, to])
    return raw.compact(from, to)
  }
  const database = { sizeOf: raw.sizeOf, compact, check: async () => {} }
  const space = new DeadSpace({ dir: dir(), database, index: () => index, log: { note: () => {} } })
  const drop = async (isDropped: (at: number) => boolean) => {
    for (const { digest } of written.filter((_, at) => isDropped(at))) {
      await raw.batch([{ type: 'del', key: index.keyOf(digest) ?? NO_KEY }], false)
      index.removeBlock(digest)
    }
    await space.giveBack()
  }
  return { raw, index, drop }
}

test('what lives among them is not written anew before as much around it is dead', async () => {
  const written = blocks(120)
  const { raw, index, drop } = await apart(written)
  await drop((at) => at % 3 === 0)
  expect(compacted).toEqual([])
  await drop((at) => at % 3 > 0 && at < 240)
  expect(compacted).not.toEqual([])
  expect(compacted.filter(([, to]) => to > blockKey(digestOf(''), 280))).toEqual([])
  expect(await diskBytes()).toBeLessThan(boundOf(40 * MIB))
  for (const [digest] of index.blocks)
    expect(await raw.get(index.keyOf(digest) ?? '')).toHaveLength(BLOCK_BYTES)
  await raw.close()
})

test('little that is dead stays where it is', async () => {
  const { raw, drop } = await apart(blocks(40))
  await drop((at) => at < 80)
  expect(compacted).toEqual([])
  await raw.close()
})

test('a store that has swollen before gives its room back after its start, which does not wait for it', async () => {
  // LevelDB merges some of it by itself where it is behind with its own work, of so much never all.
  const kept = await swollen(240, 4)
  const goOn = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const store = await loaded((raw) => ({
    async compact(from, to) {
      begun.resolve()
      await goOn.promise
      await raw.compact(from, to)
    },
  }))
  await begun.promise
  // Nor do commits.
  await store.commit(blocks(1), true)
  expect(await diskBytes()).toBeGreaterThan(boundOf(5 * MIB))
  goOn.resolve()
  await expect.poll(diskBytes, POLL).toBeLessThan(boundOf(5 * MIB))
  for (const { digest, bytes } of kept) expect(await store.readBlock(digest)).toEqual(bytes)
})

test('also where its blocks are of the first format', async () => {
  await (await loaded()).close()
  const old = blocks(80)
  const keys = old.map(({ digest }) => blockKey(digest, undefined))
  await withDatabase(dir(), async (database) => {
    for (const [at, { digest, bytes }] of old.entries())
      await database.batch(
        [
          { type: 'put', key: keys[at] ?? '', value: bytes },
          putSize(digest, { bytes: bytes.length, number: undefined }),
        ],
        false,
      )
  })
  const store = await loaded()
  const kept = old.slice(0, 16)
  await collect(store, kept)
  await expect.poll(diskBytes, POLL).toBeLessThan(boundOf(4 * MIB))
  for (const { digest, bytes } of kept) expect(await store.readBlock(digest)).toEqual(bytes)
})

test('a stop waits for what is being merged, and lets nothing more begin', async () => {
  await swollen(160, 4)
  const goOn = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const store = await loaded(() => ({
    async compact() {
      begun.resolve()
      await goOn.promise
    },
  }))
  await begun.promise
  const closed = store.close()
  // In line behind what closes it, were that in line by now.
  for (let commits = 0; commits < 3; commits++) await store.commit(blocks(1), true)
  goOn.resolve()
  await closed
  expect(compacted).toHaveLength(1)
})

test('what keeps it from merging is noted; the store goes on, and tries again after the next removal', async () => {
  const kept = await swollen(160, 4)
  let fails = true
  const store = await loaded((raw) => ({
    async compact(from, to) {
      if (fails) throw Object.assign(new Error('IO error: 7.ldb: Input/output error'))
      await raw.compact(from, to)
    },
  }))
  const text = expect.stringMatching(/^room of removed blocks not given back: .*Input\/output error/)
  await expect.poll(() => notes, POLL).toEqual([{ kind: 'note', level: 'warn', code: 'STORE_FAILED', text }])
  fails = false
  await write(store, blocks(1))
  await collect(store, kept)
  await expect.poll(diskBytes, POLL).toBeLessThan(boundOf(4 * MIB))
  expect(events).toEqual([])
})

test('LevelDB that could not merge is asked for it: it would refuse the next write', async () => {
  await swollen(160, 4)
  let refuses = true
  await loaded((raw) => ({
    async batch(operations, sync) {
      const [first] = operations
      if (refuses && compacted.length > 0 && first?.key === NO_KEY)
        throw new Error('IO error: 9.ldb: No space left on device')
      await raw.batch(operations, sync)
    },
    compact: async (from, to) => (refuses ? undefined : raw.compact(from, to)),
  }))
  await expect.poll(() => events, POLL).toEqual([{ kind: 'storeMode', readOnly: true, code: 'STORE_FULL' }])
  const before = compacted.length
  refuses = false
  // It goes on by itself, and gives back what there was.
  await expect.poll(() => compacted.length, POLL).toBeGreaterThan(before)
  expect(events.at(-1)).toEqual({ kind: 'storeMode', readOnly: false })
  await expect.poll(diskBytes, POLL).toBeLessThan(boundOf(4 * MIB))
})

test('where little room is left it is tried again with each collection, though nothing more goes, and said once', async () => {
  let isFull = true
  const store = await loaded((raw) => ({
    compact: (from, to) =>
      isFull
        ? Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
        : raw.compact(from, to),
  }))
  await write(store, blocks(80))
  await collect(store, [])
  await expect.poll(() => notes, POLL).toHaveLength(1)
  const first = compacted.length
  await collect(store, [])
  await expect.poll(() => compacted.length, POLL).toBeGreaterThan(first)
  isFull = false
  await expect
    .poll(async () => {
      await collect(store, [])
      return diskBytes()
    }, POLL)
    .toBeLessThan(boundOf(0))
  expect(notes).toHaveLength(1)
})
