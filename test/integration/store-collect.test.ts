import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LIMITS, type Limits } from '../../src/limits.ts'
import { cachedBytes, type EffectOf, type EventOf } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase, type Operation } from '../../src/store/database.ts'
import { PREFIX } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import { exists } from '../../src/store/replacement.ts'
import { block, blockKeyOf, FLEET, makeRelease } from '../contract/store-fixtures.ts'

const kept = makeRelease(3, [{ path: 'a.yaml', content: 'a: 1\n' }])
const [page] = kept.pages
const bound = { maxCacheBytes: 0, uploads: [], awaited: [kept.id], envelopes: [] }

let base: string
let store: LevelStore
let events: EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>[]
let get: Database['get']
let batch: Database['batch']
let raw: Database
let notes: EffectOf<'note'>[]

const storeWith = (limits: Limits): LevelStore =>
  new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits,
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
    database: () => {
      raw = levelDatabase(join(base, 'store'))
      const through: Pick<Database, 'get' | 'batch'> = {
        get: (key) => get(key),
        batch: (operations, sync) => batch(operations, sync),
      }
      return { ...raw, ...through }
    },
  })

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-collect-'))
  events = []
  get = (key) => raw.get(key)
  notes = []
  batch = (operations, sync) => raw.batch(operations, sync)
  store = storeWith(LIMITS)
  await store.open()
  await store.load()
  await store.commit([...kept.writes, block('named by nothing')], true)
})
afterEach(async () => {
  get = (key) => raw.get(key)
  batch = (operations, sync) => raw.batch(operations, sync)
  await store.close()
  await rm(base, { recursive: true, force: true })
})

test('commits go on while a collection reads what the releases are made of', async () => {
  const reads = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  get = async (key) => {
    if (key.startsWith(PREFIX.block)) {
      reads.resolve()
      await goOn.promise
    }
    return raw.get(key)
  }
  const collected = store.collect([kept.id], bound)
  await reads.promise
  await store.commit([block('written meanwhile')], true)
  goOn.resolve()
  expect(await collected).toEqual([block('named by nothing').digest])
})

test('each page is read once in a collection, however many releases share it', async () => {
  const shares = makeRelease(2, [{ path: 'a.yaml', content: 'a: 1\n' }])
  expect(shares.pages).toEqual(kept.pages)
  await store.commit(shares.writes, true)
  const keys: string[] = []
  get = (key) => {
    keys.push(key)
    return raw.get(key)
  }
  await store.collect([kept.id], bound)
  expect(keys.filter((key) => key.startsWith(PREFIX.block))).toEqual([await blockKeyOf(raw, page as never)])
})

test('a page that is damaged is found, and to be fetched again; until then nothing of its own goes', async () => {
  await raw.batch(
    [{ type: 'put', key: await blockKeyOf(raw, page as never), value: new Uint8Array(9) }],
    true,
  )
  expect(await store.collect([kept.id], bound)).toEqual([])
  expect(events).toEqual([{ kind: 'blockLost', digest: page }])
  expect(store.hasBlock(page as never)).toBe(false)
})

test('a page that no node can read names nothing, and holds nothing up', async () => {
  const junk = block('no manifest page')
  const orphan = block('named by nothing')
  const bad = makeRelease(4, [{ path: 'b.yaml', content: 'b: 2\n' }], { named: [junk.digest] })
  await store.commit([...bad.writes.filter(({ kind }) => kind === 'envelope'), junk], true)
  expect(await store.collect([kept.id, bad.id], bound)).toEqual([orphan.digest])
})

test.each([
  ['maxPageBytes', 64],
  ['maxBlockBytes', 3],
  ['maxItems', 40],
] as const)('of what is kept nothing goes where it is over a lowered %s by now', async (limit, value) => {
  const content = '2'.repeat(20_000)
  const large = makeRelease(4, [{ path: 'b.yaml', content }])
  await store.commit(large.writes, true)
  await store.close()
  store = storeWith({ ...LIMITS, [limit]: value })
  await store.open()
  await store.load()
  const gone = await store.collect([kept.id, large.id], { ...bound, awaited: [kept.id, large.id] })
  expect(gone).toEqual([block('named by nothing').digest])
})

test('one that is told to end reads no further, and the store is closed cleanly', async () => {
  const many = Array.from({ length: 50 }, (_, at) =>
    makeRelease(10 + at, [{ path: 'a.yaml', content: `a: ${at}\n` }]),
  )
  for (const { writes } of many) await store.commit(writes, true)
  const ending = new AbortController()
  let reads = 0
  get = async (key) => {
    if (key.startsWith(PREFIX.envelope) && ++reads === 10) ending.abort()
    return raw.get(key)
  }
  expect(await store.collect([], bound, ending.signal)).toEqual([])
  expect(reads).toBe(10)
  expect(await exists(join(base, 'store-ends'))).toBe(true)
  await store.close()
  expect(await exists(join(base, 'store-ends'))).toBe(false)
})

test('one that is told to end while a write is before it removes nothing', async () => {
  const ending = new AbortController()
  const held = Promise.withResolvers<void>()
  let deletes = 0
  batch = async (operations, sync) => {
    deletes += operations.filter(({ type }) => type === 'del').length
    await held.promise
    return raw.batch(operations, sync)
  }
  const more = store.commit(makeRelease(9, [{ path: 'a.yaml', content: 'a: 9\n' }]).writes, true)
  const collected = store.collect([], { ...bound, awaited: [] }, ending.signal)
  // It has its plan by then, and waits for its turn.
  for (let turn = 0; turn < 500; turn++) await setImmediate()
  ending.abort()
  held.resolve()
  await more
  expect([await collected, deletes]).toEqual([[], 0])
})

test('once it removes, it is not cut off', async () => {
  const ending = new AbortController()
  batch = (operations, sync) => {
    ending.abort()
    return raw.batch(operations, sync)
  }
  const gone = await store.collect([], { ...bound, awaited: [] }, ending.signal)
  expect(gone).toHaveLength(kept.blocks.size + 1)
})

describe('what goes in several batches', () => {
  /** Room for three records in one of them: of one block there are two. */
  const SMALL = { ...LIMITS, maxStoreBatchBytes: 3 * 512 }
  const removed = (operations: readonly Operation[]): readonly string[] =>
    operations.map(({ type, key }) => `${type} ${key.replace(/\/.*/, '')}`)

  beforeEach(async () => {
    await store.close()
    store = storeWith(SMALL)
    await store.open()
    await store.load()
  })

  test('goes in that order in which a kill in between leaves nothing whole that is not', async () => {
    const batches: (readonly string[])[] = []
    batch = (operations, sync) => {
      batches.push(removed(operations))
      return raw.batch(operations, sync)
    }
    expect(await store.collect([], { ...bound, awaited: [] })).toHaveLength(3)
    const block = ['del size', 'del block']
    expect(batches).toEqual([['del whole', 'del envelope'], block, block, block])
  })

  test('is told as far as it is gone where the disk takes no more of it', async () => {
    let left = 2
    batch = async (operations, sync) => {
      if (left-- <= 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      return raw.batch(operations, sync)
    }
    const gone = await store.collect([], { ...bound, awaited: [] })
    expect(gone).toEqual([block('named by nothing').digest])
    expect(notes).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        code: 'STORE_FULL',
        text: expect.stringContaining('in part'),
      }),
    )
    expect(store.hasBlock(page as never)).toBe(true)
    left = Number.POSITIVE_INFINITY
    expect(await store.collect([], { ...bound, awaited: [] })).toHaveLength(2)
  })
})

test('oldest first after a restart as well, whatever their names', async () => {
  const releases = Array.from({ length: 6 }, (_, at) =>
    makeRelease(20 + at, [{ path: 'a.yaml', content: `${at}`.repeat(900) }]),
  )
  for (const { writes } of releases) await store.commit(writes, true)
  await store.close()
  store = storeWith(LIMITS)
  await store.open()
  await store.load()
  const goes = releases[0] as (typeof releases)[number]
  const all = releases.flatMap(({ blocks }) => [...blocks.values()])
  const bytes = all.reduce((sum, { length }) => sum + length, 0)
  const gone = await store.collect([kept.id], { ...bound, maxCacheBytes: cachedBytes(bytes, all.length) - 1 })
  expect([...gone].sort()).toEqual([block('named by nothing').digest, ...goes.blocks.keys()].sort())
})
