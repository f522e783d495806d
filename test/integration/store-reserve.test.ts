/** A disk on which little is left: blocks by themselves are refused, and what makes room or needs little is not. */
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { EffectOf, EventOf } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { LevelStore } from '../../src/store/level.ts'
import { block, FLEET, makeRelease } from '../contract/store-fixtures.ts'

const MIB = 1024 * 1024
const RESERVE = 64 * MIB
const [one, two] = [1, 2].map((counter) =>
  makeRelease(counter, [{ path: 'app.yaml', content: `version: ${counter}\n` }]),
) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]
const short = { kind: 'storeMode', readOnly: false, short: true } as const
const roomy = { kind: 'storeMode', readOnly: false } as const
const noSpace = () => Object.assign(new Error('no space left'), { code: 'ENOSPC' })

let base: string
let store: LevelStore
let notes: EffectOf<'note'>[]
let events: EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>[]
/** What the disk says that it has left, unless it is full of damaged stores kept to be looked at. */
let free: number
/** How often it was asked. */
let asked: number

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-reserve-'))
  notes = []
  events = []
  free = 1024 * MIB
  asked = 0
})
afterEach(async () => {
  await store.close()
  await rm(base, { recursive: true, force: true })
})

const demandRoom = async (bytes: number): Promise<void> => {
  asked += 1
  if (free < bytes) throw noSpace()
}

async function loaded(fault: (raw: Database) => Partial<Database> = () => ({})): Promise<void> {
  store = new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits: { ...LIMITS, storeProbeMs: 20 },
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
    database: (dir) => {
      const raw = levelDatabase(dir)
      return { ...raw, demandRoom, ...fault(raw) }
    },
  })
  await store.open()
  await store.load()
}

let made = 0
/** Of 1 MiB. */
const large = () => {
  made += 1
  return block(`${made} `.padEnd(MIB, 'x'))
}
const refused = { code: 'STORE_FULL', message: expect.stringContaining('less than 64 MiB') }
const full = (): Promise<void> => expect(store.commit([large()], false)).rejects.toMatchObject(refused)

test('with 64 MiB left it takes no more blocks, but orders, small releases and what is removed', async () => {
  await loaded()
  const first = large()
  free = RESERVE
  await store.commit([first], false)
  await store.commit(one.writes, true)
  free = RESERVE - 1
  for (let taken = 0; taken < 4; taken += 1) await store.commit([large()], false)
  await full()
  await store.commit(two.writes, true)
  await store.commit([{ kind: 'unwhole', release: one.id }], false)
  const bound = { maxCacheBytes: 0, uploads: [], awaited: [], envelopes: [] }
  expect(await store.collect([two.id], bound)).toContain(first.digest)
  for (const [digest, bytes] of two.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
  expect(events).toEqual([short])
})

test('takes them again by itself once there is more', async () => {
  await loaded()
  free = 0
  await full()
  free = RESERVE
  await expect.poll(() => events).toEqual([short, roomy])
  await store.commit([large()], false)
})

test('says so once, however many are refused, and however often the disk is looked at', async () => {
  await loaded()
  free = 0
  for (let tries = 0; tries < 10; tries += 1) await full()
  const before = asked
  await expect.poll(() => asked).toBeGreaterThan(before + 3)
  free = RESERVE
  await expect.poll(() => events.at(-1)).toEqual(roomy)
  free = 0
  for (let tries = 0; tries < 5; tries += 1) await store.commit([large()], false).catch(() => undefined)
  expect(events.at(-1)).toEqual(short)
  const text = expect.stringMatching(/less than 64 MiB, or an eighth of a small disk, is free.*free space/)
  expect(notes).toMatchObject([{ level: 'error', code: 'STORE_FULL', text }])
})

test('asks the disk once in 4 MiB of blocks, and for nothing else', async () => {
  await loaded()
  await store.commit(one.writes, true)
  expect(asked).toBe(0)
  for (let written = 0; written < 21; written += 1) await store.commit([large()], false)
  expect(asked).toBe(5)
})

test('blocks that come while it is asked wait for the answer, and it is asked once', async () => {
  await loaded()
  free = 0
  const results = await Promise.allSettled(
    [large(), large(), large()].map((each) => store.commit([each], false)),
  )
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(events).toEqual([short])
})

test('a disk that cannot be asked is written to, and says itself what is wrong', async () => {
  const error = Object.assign(new Error('EIO: i/o error, statfs'), { code: 'EIO' })
  await loaded(() => ({ demandRoom: () => Promise.reject(error) }))
  await store.commit([large()], false)
  expect(events).toEqual([])
})

test('what is kept of damaged stores goes before a block is refused', async () => {
  const kept = join(base, 'store.corrupt-1')
  await mkdir(kept)
  const isKept = () =>
    access(kept).then(
      () => true,
      () => false,
    )
  await loaded(() => ({
    demandRoom: async () => {
      if (await isKept()) throw noSpace()
    },
  }))
  await store.commit([large()], false)
  expect(await isKept()).toBe(false)
  expect(events).toEqual([])
})

test('after it was full the disk is asked before the next block, whatever it had before', async () => {
  let isFull = false
  const gate = (): void => {
    if (isFull) throw noSpace()
  }
  await loaded((raw) => ({
    batch: async (...of) => {
      gate()
      await raw.batch(...of)
    },
    probe: async (bytes) => {
      gate()
      await raw.probe(bytes)
    },
  }))
  await store.commit([large()], false)
  isFull = true
  await expect(store.commit(one.writes, true)).rejects.toMatchObject({ code: 'STORE_FULL' })
  free = RESERVE - 1
  isFull = false
  await expect.poll(() => events).toEqual([{ kind: 'storeMode', readOnly: true, code: 'STORE_FULL' }, roomy])
  await full()
})
