import { expect, test, vi } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Floor } from '../../src/model/floor.ts'
import type { Name, ReleaseId } from '../../src/model/ids.ts'
import type { CacheBound, StorePort, Write } from '../../src/runtime/ports.ts'
import { SimDisk, type WriteFate } from '../../src/sim/disk.ts'
import { stream } from '../../src/sim/random.ts'
import { VirtualTime } from '../../src/sim/time.ts'
import { CHANNEL, FLEET, makeRelease } from '../contract/store-fixtures.ts'

const EMPTY: CacheBound = { maxCacheBytes: 0, uploads: [], awaited: [], envelopes: [] }
const [old, kept, late] = [1, 2, 3].map((counter) =>
  makeRelease(counter, [{ path: 'own.txt', content: `${counter}`.repeat(800) }]),
) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]

function bench() {
  const time = new VirtualTime()
  const disk = new SimDisk(time, stream(1, 'disk'), FLEET, LIMITS)
  const events: string[] = []
  /** Virtual time goes on until the work is done, or nothing is left to happen. */
  const done = async <T>(work: Promise<T>): Promise<T | 'dead'> => {
    let ended = false
    const end = work.finally(() => {
      ended = true
    })
    end.catch(() => undefined)
    for (;;) {
      await new Promise(setImmediate)
      if (ended) return end
      if (!time.step(Number.POSITIVE_INFINITY)) return 'dead'
    }
  }
  const start = async (): Promise<StorePort> => {
    const store = disk.open((event) => events.push(JSON.stringify(event)))
    await store.open()
    return store
  }
  return { disk, events, done, start }
}

/** Two releases lie there, and nobody keeps the first. */
async function filled(fate?: WriteFate) {
  const on = bench()
  const store = await on.start()
  for (const { writes } of [old, kept]) await on.done(store.commit(writes, true))
  if (fate !== undefined) on.disk.fate = () => fate
  return { ...on, store, collect: () => on.done(store.collect([kept.id], EMPTY)) }
}

const whole = async (store: StorePort): Promise<readonly ReleaseId[]> => (await store.load()).whole
const all = [old, kept].map(({ id }) => id).sort()

test('what a collection removed stays removed after a restart', async () => {
  const { disk, done, start, store, collect } = await filled()
  const gone = (await collect()) as readonly string[]
  expect([...gone].sort()).toEqual([...old.blocks.keys()].sort())
  await done(store.commit(late.writes, true))
  disk.crash()
  const next = await start()
  expect(await whole(next)).toEqual([kept.id, late.id].sort())
  for (const digest of old.blocks.keys()) expect(next.hasBlock(digest)).toBe(false)
  for (const digest of kept.blocks.keys()) expect(next.hasBlock(digest)).toBe(true)
  expect(await next.readEnvelope(old.id)).toBeUndefined()
  const { blocks, envelopes } = disk.onDisk()
  expect([...blocks].sort()).toEqual([...kept.blocks.keys(), ...late.blocks.keys()].sort())
  expect([...envelopes.keys()]).toEqual([kept.id, late.id])
})

test.each([
  ['full', 'STORE_FULL'],
  ['io-error', 'STORE_FAILED'],
] as const)('a disk that is %s: nothing is collected', async (fate, code) => {
  const { disk, events, start, store, collect } = await filled(fate)
  await expect(collect()).rejects.toMatchObject({ code })
  expect(await whole(store)).toEqual(all)
  expect(events).toEqual(fate === 'full' ? ['{"kind":"storeMode","readOnly":true,"code":"STORE_FULL"}'] : [])
  disk.crash()
  expect(await whole(await start())).toEqual(all)
})

test.each([
  ['die-before', all],
  ['die-torn', all],
  ['die-after', [kept.id]],
] as const)('%s of a collection: all of it or nothing', async (fate, left) => {
  const { disk, start, collect } = await filled(fate)
  disk.onDeath = vi.fn()
  expect(await collect()).toBe('dead')
  expect(disk.onDeath).toHaveBeenCalledOnce()
  const next = await start()
  expect(await whole(next)).toEqual(left)
  expect(next.hasBlock([...old.blocks.keys()][0] as never)).toBe(left.length === 2)
})

test('what comes while a collection is under way stays, though nobody said that it is kept', async () => {
  const { done, store } = await filled()
  // Some of them reach the disk before what the collection removes, some behind it.
  const news = Array.from({ length: 20 }, (_, at) =>
    makeRelease(4 + at, [{ path: 'own.txt', content: `${at}`.repeat(400) }]),
  )
  const commits = Promise.all(news.map(({ writes }) => store.commit(writes, false)))
  const collection = store.collect([kept.id], EMPTY)
  const gone = (await done(
    Promise.all([collection, commits]).then(([removed]) => removed),
  )) as readonly string[]
  expect([...gone].sort()).toEqual([...old.blocks.keys()].sort())
  expect(await whole(store)).toEqual([kept.id, ...news.map(({ id }) => id)].sort())
})

/** The last write of a release, as one that counts on nothing written before. */
const aloneOf = ({ writes }: typeof late): readonly Write[] =>
  writes.map((write) => (write.kind === 'whole' ? { ...write, alone: true } : write))
const loose = Array.from({ length: 30 }, (_, at): Write => {
  const bytes = Uint8Array.of(at)
  return { kind: 'block', digest: sha256(bytes), bytes }
})
/** How many of them lie there. */
const looseIn = (store: StorePort): number =>
  loose.filter((write) => write.kind === 'block' && store.hasBlock(write.digest)).length

test('a crash takes some of what was only added before a batch that stands alone, which stays', async () => {
  const { disk, done, start, store } = await filled()
  for (const write of loose) await done(store.commit([write], false))
  await done(store.commit(aloneOf(late), true))
  disk.crash()
  const next = await start()
  expect(await whole(next)).toEqual([...all, late.id].sort())
  expect(looseIn(next)).toBeGreaterThan(0)
  expect(looseIn(next)).toBeLessThan(loose.length)
})

test('and nothing of what came before a batch that counts on it, or in an earlier life', async () => {
  const { disk, done, start, store } = await filled()
  for (const write of loose) await done(store.commit([write], false))
  await done(store.commit(late.writes, true))
  disk.crash()
  const next = await start()
  expect(looseIn(next)).toBe(loose.length)

  const other = await filled()
  for (const write of loose) await other.done(other.store.commit([write], false))
  const second = await other.start()
  await other.done(second.commit(aloneOf(late), true))
  other.disk.crash()
  expect(looseIn(await other.start())).toBe(loose.length)
})

test('what a collection removed stays removed beside a batch that stands alone', async () => {
  const { disk, done, start, collect, store } = await filled()
  await collect()
  await done(store.commit(aloneOf(late), true))
  disk.crash()
  const next = await start()
  expect(await whole(next)).toEqual([kept.id, late.id].sort())
})

test('a cache within its bound costs no write', async () => {
  const { disk, done, store } = await filled()
  const { writes } = disk
  expect(await done(store.collect([], { ...EMPTY, maxCacheBytes: 1_000_000 }))).toEqual([])
  expect(disk.writes).toBe(writes)
})

test('and of small blocks more is in it than their bytes', async () => {
  const { done, store } = await filled()
  expect(await done(store.collect([], { ...EMPTY, maxCacheBytes: store.bytes() }))).not.toEqual([])
})

const floor: Floor = {
  fleet: FLEET,
  channel: CHANNEL,
  top: { epoch: 1, counter: 3, publisher: 'payments' as Name },
  ids: [late.id],
}
const root = (version: number): Write => ({ kind: 'root', version, envelope: Uint8Array.of(version) })

/** Something of every kind lies there, twice of what has a second copy. */
async function laden() {
  const on = await filled()
  const writes: readonly Write[] = [...late.writes, { kind: 'floor', floor }, root(2), root(3)]
  await on.done(on.store.commit(writes, true))
  on.disk.crash()
  return on
}

/** What the next start finds: which floors, how often each, and which roots. */
async function found(on: Awaited<ReturnType<typeof laden>>) {
  const { floors, roots } = await (await on.start()).load()
  on.disk.crash()
  return { floors: floors.map(({ top }) => top.counter), roots: roots.map(({ version }) => version) }
}

test('a flipped bit in any record takes that record, and nothing else', async () => {
  const { disk } = await laden()
  const names = disk.records()
  expect(names).toEqual(
    expect.arrayContaining([`floor ${CHANNEL}`, `copy of floor ${CHANNEL}`, 'copy of root']),
  )
  for (const name of names) {
    const on = await laden()
    const before = on.disk.onDisk().blocks.size
    on.disk.flipRecord(name)
    const isBlock = name.startsWith('block ')
    expect(on.disk.onDisk().blocks.size).toBe(before - Number(isBlock))
    expect(on.disk.records()).toEqual(isBlock ? names : names.filter((other) => other !== name))
  }
})

test.each([
  [
    `floor ${CHANNEL}`,
    `copy of floor ${CHANNEL}`,
    { floors: [3], roots: [2, 3] },
    { floors: [], roots: [2, 3] },
  ],
  [
    `copy of floor ${CHANNEL}`,
    `floor ${CHANNEL}`,
    { floors: [3], roots: [2, 3] },
    { floors: [], roots: [2, 3] },
  ],
  ['root 3', 'copy of root', { floors: [3, 3], roots: [2, 3] }, { floors: [3, 3], roots: [2] }],
  ['copy of root', 'root 3', { floors: [3, 3], roots: [2, 3] }, { floors: [3, 3], roots: [2] }],
] as const)('%s: the other copy is left, and a start writes both again', async (name, other, one, none) => {
  const both = { floors: [3, 3], roots: [2, 3] }
  const on = await laden()
  on.disk.flipRecord(name)
  expect(await found(on)).toEqual(one)
  expect(await found(on)).toEqual(both)
  on.disk.flipRecord(other)
  expect(await found(on)).toEqual(one)
  on.disk.flipRecord(name)
  on.disk.flipRecord(other)
  expect(await found(on)).toEqual(none)
})

test('a store that is lost leaves the floors and the newest root', async () => {
  const on = await laden()
  on.disk.loseStore()
  expect(await found(on)).toEqual({ floors: [3], roots: [3] })
})

test.each([
  ['die-torn', { floors: [4], roots: [4] }, [`copy of floor ${CHANNEL}`, 'copy of root']],
  ['die-unshown', { floors: [4], roots: [4] }, [`floor ${CHANNEL}`, 'root 4']],
] as const)('%s: one copy has what the other has not yet', async (fate, left, names) => {
  const on = bench()
  const store = await on.start()
  on.disk.fate = () => fate
  const top = { ...floor.top, counter: 4 }
  expect(await on.done(store.commit([{ kind: 'floor', floor: { ...floor, top } }, root(4)], true))).toBe(
    'dead',
  )
  on.disk.crash()
  expect(on.disk.records()).toEqual(names)
  expect(await found({ ...on, store, collect: async () => 'dead' })).toEqual(left)
})
