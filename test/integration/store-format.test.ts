/** Under which keys blocks lie: in order of arrival, each once, and those of format 1 where that put them. */
import { beforeEach, describe, expect, test } from 'vitest'
import { decodeStrict, encode } from '../../src/codec/cbor.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import type { Snapshot } from '../../src/runtime/ports.ts'
import { seal, unseal } from '../../src/store/checksum.ts'
import { type Database, levelDatabase, type Operation } from '../../src/store/database.ts'
import { envelopeKey, FORMAT_KEY, PREFIX, sizeKey } from '../../src/store/keys.ts'
import { ENVELOPE, writeRecord } from '../../src/store/records.ts'
import { verifyStore } from '../../src/store/verify.ts'
import { block, blockKeyOf, blockKeysOf, makeRelease } from '../contract/store-fixtures.ts'
import { storeLives } from '../contract/store-lives.ts'

const old = makeRelease(1, [{ path: 'a.yaml', content: 'a: 1\n'.repeat(500) }])
const recent = makeRelease(2, [{ path: 'b.yaml', content: 'b: 2\n'.repeat(500) }])
const ARRIVED = 41
const KEY = /^block\/(\d{16})\/[0-9a-f]{64}$/

const { path, open, inDatabase } = storeLives('confmesh-format-')

async function opened(fault: (raw: Database) => Partial<Database> = () => ({})) {
  const raw = levelDatabase(path('store'))
  const store = await open(() => ({ ...raw, ...fault(raw) }))
  return { store, raw }
}

type Loaded = Awaited<ReturnType<typeof opened>> & { readonly snapshot: Snapshot }
async function loaded(...of: Parameters<typeof opened>): Promise<Loaded> {
  const life = await opened(...of)
  return { ...life, snapshot: await life.store.load() }
}

const verify = () =>
  verifyStore({
    dir: path('store'),
    floorDirOf: () => path('floor'),
    limits: LIMITS,
    checkEnvelope: () => undefined,
  })

async function blockKeys(database: Database): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const key of database.keys(PREFIX.block)) keys.push(key)
  return keys
}
const numberIn = (key: string): number => Number(KEY.exec(key)?.[1] ?? Number.NaN)
const formatIn = async (database: Database): Promise<unknown> =>
  decodeStrict(unseal(FORMAT_KEY, (await database.get(FORMAT_KEY)) ?? new Uint8Array()) ?? new Uint8Array(), {
    maxBytes: 100,
    limits: LIMITS,
    what: 'the format',
  })

/** As the builds of format 1 wrote it: blocks under their digests alone, their sizes as bare numbers. */
const inFormat1 = (digest: Digest, bytes: Uint8Array): readonly Operation[] => [
  { type: 'put', key: `block/${digest}`, value: bytes },
  { type: 'put', key: sizeKey(digest), value: seal(sizeKey(digest), encode(bytes.length)) },
]

async function livedInFormat1(): Promise<void> {
  const { store } = await loaded()
  await store.commit(old.writes, true)
  await store.close()
  await inDatabase(async (database) => {
    const numbered = await blockKeys(database)
    const { channel, envelope: bytes } = old
    const envelope = writeRecord(ENVELOPE, envelopeKey(old.id), { channel, number: ARRIVED, bytes })
    await database.batch(
      [
        ...numbered.map((key) => ({ type: 'del', key }) as const),
        ...[...old.blocks].flatMap(([digest, block]) => inFormat1(digest, block)),
        { type: 'put', key: envelopeKey(old.id), value: envelope },
        { type: 'put', key: FORMAT_KEY, value: seal(FORMAT_KEY, encode(1)) },
      ],
      true,
    )
  })
}
const keysOfFormat1 = [...old.blocks.keys()].map((digest) => `block/${digest}`).sort()

describe('a store of format 1', () => {
  beforeEach(livedInFormat1)

  test('is verified as it is', async () => {
    expect(await verify()).toEqual([])
    expect(await inDatabase(formatIn)).toBe(1)
    expect(await inDatabase(blockKeys)).toEqual(keysOfFormat1)
  })

  test('is raised once, before anything else is written, and durably', async () => {
    const batches: [readonly string[], boolean][] = []
    const noting = (raw: Database): Partial<Database> => ({
      batch: (operations, sync) => {
        batches.push([operations.map(({ key }) => key), sync])
        return raw.batch(operations, sync)
      },
    })
    const { store, raw } = await opened(noting)
    expect(await formatIn(raw)).toBe(2)
    expect(batches).toEqual([[[FORMAT_KEY], true]])
    await store.close()
    await (await opened(noting)).store.close()
    expect(batches).toHaveLength(1)
  })

  test('that cannot be raised is left as it is', async () => {
    const full = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
    await expect(opened(() => ({ batch: full }))).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(await inDatabase(formatIn)).toBe(1)
  })

  test('is read, and its blocks are written anew where they lie', async () => {
    const { store, raw, snapshot } = await loaded()
    expect(snapshot).toMatchObject({ corrupt: 0, whole: [old.id], blocks: new Set(old.blocks.keys()) })
    for (const [digest, bytes] of old.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
    await store.commit(old.writes, true)
    expect(await blockKeys(raw)).toEqual(keysOfFormat1)
    await store.close()
    expect(await verify()).toEqual([])
  })

  test('gets new blocks under numbers above all that are there', async () => {
    const { store, raw } = await loaded()
    await store.commit(recent.writes, true)
    const keys = await Promise.all([...recent.blocks.keys()].map((digest) => blockKeyOf(raw, digest)))
    for (const key of keys) expect(numberIn(key)).toBeGreaterThan(ARRIVED)
    await store.close()
    expect(await verify()).toEqual([])
    const next = await loaded()
    for (const [digest, bytes] of [...old.blocks, ...recent.blocks])
      expect(await next.store.readBlock(digest)).toEqual(bytes)
  })

  test('is collected', async () => {
    const { store, raw } = await loaded()
    await store.commit(recent.writes, true)
    const bound = { maxCacheBytes: 0, uploads: [], awaited: [recent.id], envelopes: [] }
    expect([...(await store.collect([recent.id], bound))].sort()).toEqual([...old.blocks.keys()].sort())
    const left = await blockKeys(raw)
    expect(left).toHaveLength(recent.blocks.size)
    for (const key of left) expect(key).toMatch(KEY)
    await store.close()
    expect(await verify()).toEqual([])
  })

  test('finds a block again whose entry in the index is damaged', async () => {
    const [digest] = [...old.blocks.keys()]
    const key = sizeKey(digest as Digest)
    await inDatabase((database) => database.batch([{ type: 'put', key, value: new Uint8Array(9) }], true))
    const { store, raw, snapshot } = await loaded()
    expect(snapshot).toMatchObject({ corrupt: 1, whole: [old.id], blocks: new Set(old.blocks.keys()) })
    expect(await blockKeys(raw)).toEqual(keysOfFormat1)
    await store.close()
    expect(await verify()).toEqual([])
  })
})

test('blocks lie in order of arrival, also behind those of an earlier life', async () => {
  const arrived: string[] = []
  for (const life of ['first', 'second']) {
    const { store, raw } = await loaded()
    for (let at = 0; at < 20; at++) {
      const write = block(`block ${at} of the ${life} life`)
      await store.commit([write], at % 2 === 0)
      arrived.push(await blockKeyOf(raw, write.digest))
    }
    await store.close()
  }
  for (const key of arrived) expect(key).toMatch(KEY)
  expect(await inDatabase(blockKeys)).toEqual(arrived)
})

test('a block that comes again and again lies under one key', async () => {
  const write = block('written again and again')
  const first = await loaded()
  await Promise.all([first.store.commit([write, write], false), first.store.commit([write], true)])
  const key = await blockKeyOf(first.raw, write.digest)
  await first.store.commit([write], true)
  expect(await blockKeys(first.raw)).toEqual([key])
  await first.store.close()
  const second = await loaded()
  await second.store.commit([write, block('another')], true)
  expect(await blockKeyOf(second.raw, write.digest)).toBe(key)
  expect(await second.store.readBlock(write.digest)).toEqual(write.bytes)
})

test('a block whose batch failed is not there, and comes as any other', async () => {
  let failing = false
  const write = block('refused at first')
  const { store, raw } = await loaded((database) => ({
    batch: async (...of) => {
      if (failing) throw new Error('IO error: Input/output error')
      await database.batch(...of)
    },
  }))
  failing = true
  await expect(store.commit([write], true)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect(store.hasBlock(write.digest)).toBe(false)
  expect(await store.readBlock(write.digest)).toBeUndefined()
  expect(await blockKeys(raw)).toEqual([])
  failing = false
  await store.commit([block('another'), write], true)
  expect(await store.readBlock(write.digest)).toEqual(write.bytes)
  await store.close()
  expect(await verify()).toEqual([])
  const next = await loaded()
  expect(await next.store.readBlock(write.digest)).toEqual(write.bytes)
  expect(await blockKeysOf(next.raw, write.digest)).toHaveLength(1)
})

test.each([
  ['short of digits', `block/7/${recent.id}`],
  ['beyond what can be counted', `block/9999999999999999/${recent.id}`],
  ['without a digest', 'block/0000000000000007'],
])('a key %s is none of a block', async (_, key) => {
  await (await loaded()).store.close()
  await inDatabase((database) => database.batch([{ type: 'put', key, value: new Uint8Array(1) }], true))
  expect(await verify()).toEqual([{ where: key, what: 'no record of this store has such a key' }])
})
