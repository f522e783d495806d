import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { EventOf } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { PREFIX } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import { block, blockKeyOf, FLEET, makeRelease } from '../contract/store-fixtures.ts'

const kept = makeRelease(3, [{ path: 'a.yaml', content: 'a: 1\n' }])
const [page] = kept.pages
const bound = { maxCacheBytes: 0, uploads: [], awaited: [kept.id], envelopes: [] }

let base: string
let store: LevelStore
let events: EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>[]
let get: Database['get']
let raw: Database

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-collect-'))
  events = []
  raw = levelDatabase(join(base, 'store'))
  get = (key) => raw.get(key)
  store = new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits: LIMITS,
    log: { note: () => {} },
    emit: (event) => void events.push(event),
    database: () => ({ ...raw, get: (key) => get(key) }),
  })
  await store.open()
  await store.load()
  await store.commit([...kept.writes, block('named by nothing')], true)
})
afterEach(async () => {
  get = (key) => raw.get(key)
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

test('each page is read once in a collection', async () => {
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
