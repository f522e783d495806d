/** Blocks that no entry of the index leads to: found again where they are needed, gone otherwise, and none stays for ever. */
import { writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import { type Database, levelDatabase, type Operation } from '../../src/store/database.ts'
import { blockKey, PREFIX, sizeKey } from '../../src/store/keys.ts'
import { verifyStore } from '../../src/store/verify.ts'
import { block, blockKeyOf, blockKeysOf, makeRelease } from '../contract/store-fixtures.ts'
import { storeLives } from '../contract/store-lives.ts'

const release = makeRelease(1, [{ path: 'a.yaml', content: 'a: 1\n'.repeat(500) }])
const [wanted, second] = [...release.blocks].filter(([digest]) => !release.pages.includes(digest)) as [
  [Digest, Uint8Array],
  [Digest, Uint8Array],
]
const unnamed = block('named by no release')

const { path, open, endNewest, inDatabase } = storeLives('confmesh-strays-')

async function loaded(fault: (raw: Database) => Partial<Database> = () => ({})) {
  let looks = 0
  const raw = levelDatabase(path('store'))
  const store = await open((dir) => {
    const one = dir === path('store') ? raw : levelDatabase(dir)
    const keys = (prefix: string) => {
      if (prefix === PREFIX.block) looks += 1
      return one.keys(prefix)
    }
    return { ...one, keys, ...fault(one) }
  })
  return { store, raw, snapshot: await store.load(), looks: () => looks }
}

const change = (...operations: readonly Operation[]) =>
  inDatabase((database) => database.batch(operations, true))
const garbage = (key: string): Operation => ({ type: 'put', key, value: new Uint8Array(40) })
const without = (key: string): Operation => ({ type: 'del', key })
const endedUnclean = () => writeFile(path('store-ends'), '001')

/** A life that stores a block, and the release behind it, and ends cleanly. */
beforeEach(async () => {
  const { store } = await loaded()
  await store.commit([unnamed, ...release.writes], true)
  await store.close()
})

const keysOf = (digest: Digest) => inDatabase((database) => blockKeysOf(database, digest))
const verify = () =>
  verifyStore({
    dir: path('store'),
    floorDirOf: () => path('floor'),
    limits: LIMITS,
    checkEnvelope: () => undefined,
  })

test('no start goes through all blocks where none is missed, whatever end was before', async () => {
  const clean = await loaded()
  await clean.store.close()
  await endedUnclean()
  const unclean = await loaded()
  expect([clean.looks(), unclean.looks()]).toEqual([0, 0])
})

test.each([
  ['a block', wanted[0]],
  ['a page', release.pages[0] as Digest],
])('%s of a whole release whose entry is gone is found where it lies, in one look', async (_, digest) => {
  const key = await inDatabase((database) => blockKeyOf(database, digest))
  await change(without(sizeKey(digest)), without(sizeKey(second[0])))
  await endedUnclean()
  const { store, snapshot, looks } = await loaded()
  expect(snapshot.whole).toEqual([release.id])
  expect(await store.readBlock(digest)).toEqual(release.blocks.get(digest))
  expect(looks()).toBe(1)
  await store.close()
  expect(await keysOf(digest)).toEqual([key])
  const next = await loaded()
  expect(next.snapshot.blocks).toEqual(new Set([...release.blocks.keys(), unnamed.digest]))
})

test('what a look finds that nothing leads to goes, and all else stays', async () => {
  const [key] = await keysOf(wanted[0])
  const copies = [blockKey(wanted[0], undefined), blockKey(wanted[0], 900)]
  await change(
    ...copies.map((copy): Operation => ({ type: 'put', key: copy, value: wanted[1] })),
    garbage(`${PREFIX.block}of no form`),
    without(sizeKey(unnamed.digest)),
    garbage(sizeKey(second[0])),
  )
  const { store, snapshot } = await loaded()
  expect(snapshot.blocks).toEqual(new Set(release.blocks.keys()))
  await store.close()
  expect(await keysOf(wanted[0])).toEqual([key])
  expect(await keysOf(unnamed.digest)).toEqual([])
  const left: string[] = []
  await inDatabase(async (database) => {
    for await (const each of database.keys(PREFIX.block)) left.push(each)
  })
  expect(left).toHaveLength(release.blocks.size)
  expect(await verify()).toEqual([])
})

test('of two that may be the block the sound one is taken', async () => {
  await change(garbage(blockKey(wanted[0], 0)), garbage(sizeKey(wanted[0])))
  const [, key] = await keysOf(wanted[0])
  const { store } = await loaded()
  expect(await store.readBlock(wanted[0])).toEqual(wanted[1])
  await store.close()
  expect(await keysOf(wanted[0])).toEqual([key])
})

test('after a store was set aside, a look takes away what was saved without its entry', async () => {
  await change(without(sizeKey(unnamed.digest)))
  await writeFile(path('store.damaged'), '')
  const { store, snapshot } = await loaded()
  expect(snapshot.whole).toEqual([release.id])
  await store.close()
  expect(await keysOf(unnamed.digest)).toEqual([])
  expect(await keysOf(wanted[0])).toHaveLength(1)
})

test('a table that cannot be read costs the look what is in it, not the start', async () => {
  await change(garbage(sizeKey(wanted[0])))
  const { snapshot } = await loaded((raw) => ({
    async *keys(prefix) {
      for await (const key of raw.keys(prefix)) {
        if (key.endsWith(wanted[0]))
          throw Object.assign(new Error('Corruption: block checksum mismatch'), { code: 'LEVEL_CORRUPTION' })
        yield key
      }
    },
  }))
  expect(snapshot).toMatchObject({ whole: [], corrupt: 1 })
})

test.each([
  ['damaged', garbage(sizeKey(wanted[0]))],
  ['gone', without(sizeKey(wanted[0]))],
])(
  'a disk that fails while a block is looked for whose entry is %s ends the start, and costs nothing',
  async (_, lost) => {
    await change(lost)
    await endedUnclean()
    const failing = () => ({
      // biome-ignore lint/correctness/useYield: the disk fails before the first key.
      async *keys(): AsyncGenerator<string> {
        throw new Error('IO error: Input/output error')
      },
    })
    await expect(loaded(failing)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await endNewest()
    expect((await loaded()).snapshot.whole).toEqual([release.id])
  },
)

describe('a block that comes again', () => {
  const refuse = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))

  test('comes to lie over what a start could not take away', async () => {
    let full = false
    const [key] = await keysOf(unnamed.digest)
    await change(garbage(sizeKey(unnamed.digest)))
    const { store, raw } = await loaded((database) => ({
      batch: (...of) => (full ? refuse() : database.batch(...of)),
      keys: (prefix) => {
        full = true
        return database.keys(prefix)
      },
    }))
    expect(store.hasBlock(unnamed.digest)).toBe(false)
    expect(await blockKeyOf(raw, unnamed.digest)).toBe(key)
    full = false
    await store.commit([unnamed], true)
    expect(await blockKeyOf(raw, unnamed.digest)).toBe(key)
    await store.close()
    expect(await verify()).toEqual([])
  })

  test('comes to lie over one that was found damaged and that the disk kept', async () => {
    let full = false
    const { store, raw } = await loaded((database) => ({
      batch: (...of) => (full ? refuse() : database.batch(...of)),
    }))
    const key = await blockKeyOf(raw, wanted[0])
    await raw.batch([garbage(key)], true)
    full = true
    expect(await store.readBlock(wanted[0])).toBeUndefined()
    full = false
    await store.commit([{ kind: 'block', digest: wanted[0], bytes: wanted[1] }], true)
    expect(await blockKeyOf(raw, wanted[0])).toBe(key)
    expect(await store.readBlock(wanted[0])).toEqual(wanted[1])
    await store.close()
    expect(await verify()).toEqual([])
  })

  test('in a commit that was under way when it was found damaged is not set aside', async () => {
    let hold: Promise<void> | undefined
    const held = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const { store, raw } = await loaded((database) => ({
      batch: async (...of) => {
        if (hold !== undefined) held.resolve()
        await hold
        await database.batch(...of)
      },
    }))
    const key = await blockKeyOf(raw, wanted[0])
    await raw.batch([garbage(key)], true)
    hold = goOn.promise
    const again = store.commit([{ kind: 'block', digest: wanted[0], bytes: wanted[1] }], true)
    await held.promise
    const read = store.readBlock(wanted[0])
    await expect.poll(() => store.hasBlock(wanted[0])).toBe(false)
    goOn.resolve()
    await again
    expect(await read).toEqual(wanted[1])
    await store.close()
    expect(await verify()).toEqual([])
    expect(await keysOf(wanted[0])).toEqual([key])
  })
})
