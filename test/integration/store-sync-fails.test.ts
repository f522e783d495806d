/** A disk that takes a batch and cannot sync it: what was answered as failed is not there, now or after a restart. */
import { execFileSync } from 'node:child_process'
import { constants } from 'node:fs'
import { cp, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Snapshot, Write } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { envelopeKey } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import { blockKeyOf, FLEET, makeFloor, makeRelease } from '../contract/store-fixtures.ts'

const [one, two, three] = [1, 2, 3].map((counter) =>
  makeRelease(counter, [{ path: 'app.yaml', content: `version: ${counter}\n`.repeat(20) }]),
) as [Made, Made, Made]
type Made = ReturnType<typeof makeRelease>

/** LevelDB's write buffer is 4 MiB: behind so much it goes on in a new log. */
const filling: readonly Write[] = Array.from({ length: 18 }, (_, at) => {
  const bytes = new Uint8Array(256 * 1024).fill(at)
  return { kind: 'block', digest: sha256(bytes), bytes }
})

let base: string
let stores: LevelStore[]
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-sync-'))
  stores = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  await rm(base, { recursive: true, force: true })
})

/** At `from`, as a kill at this moment would leave it. */
async function loaded(
  fault: (raw: Database) => Partial<Database> = () => ({}),
  from = base,
): Promise<{ store: LevelStore; snapshot: Snapshot }> {
  const store = new LevelStore({
    dir: join(from, 'store'),
    floorDir: join(from, 'floor'),
    fleetId: FLEET,
    limits: { ...LIMITS, storeProbeBytes: 1_000 },
    log: { note: () => {} },
    database: (dir) => {
      const raw = levelDatabase(dir)
      return { ...raw, ...fault(raw) }
    },
  })
  stores.push(store)
  await store.open()
  return { store, snapshot: await store.load() }
}

async function afterKill(): Promise<Snapshot> {
  const copy = join(base, 'killed')
  for (const part of ['store', 'floor'])
    await cp(join(base, part), join(copy, part), {
      recursive: true,
      filter: (path) => !/\/(LOCK|\.lock)$/.test(path),
    })
  return (await loaded(undefined, copy)).snapshot
}

const NAMES = /^(?:MANIFEST-)?(\d+)(?:\.log|\.ldb)?$/
const logOf = (number: number): string => join(base, 'store', `${String(number).padStart(6, '0')}.log`)

/**
 * LevelDB's next log is a pipe: it takes what is written, and no sync. What came through lies in the log afterwards,
 * as it does where a disk fails to sync.
 */
async function withoutSync(work: () => Promise<void>): Promise<string> {
  const numbers = (await readdir(join(base, 'store'))).map((name) => Number(NAMES.exec(name)?.[1] ?? 0))
  const next = [1, 2, 3, 4].map((more) => logOf(Math.max(...numbers) + more))
  execFileSync('mkfifo', next)
  const pipes = await Promise.all(next.map((path) => open(path, constants.O_RDWR | constants.O_NONBLOCK)))
  let written = ''
  try {
    await work()
  } finally {
    for (const [at, pipe] of pipes.entries()) {
      const path = next[at] as string
      const read = await pipe.read(Buffer.alloc(64 * 1024)).catch(() => undefined)
      await pipe.close()
      await rm(path)
      if (read === undefined) continue
      const bytes = read.buffer.subarray(0, read.bytesRead)
      written += bytes.toString('latin1')
      await writeFile(path, bytes)
    }
  }
  return written
}

interface Fault {
  /** The next batch cannot be synced. */
  armed: boolean
  /** The disk takes nothing at all. */
  dead: boolean
  log: string
}

const failing =
  (fault: Fault) =>
  (raw: Database): Partial<Database> => ({
    batch: async (operations, sync) => {
      if (!fault.armed) return raw.batch(operations, sync)
      fault.armed = false
      let failed: unknown
      fault.log = await withoutSync(() =>
        raw.batch(operations, sync).catch((error: unknown) => {
          failed = error
        }),
      )
      if (failed !== undefined) throw failed
    },
    probe: async (bytes) => {
      if (fault.dead) throw Object.assign(new Error('IO error: Input/output error'), { code: 'EIO' })
      return raw.probe(bytes)
    },
  })

/** The first release is there; the second could not be synced. */
async function failed(dead = false) {
  const fault: Fault = { armed: false, dead, log: '' }
  const { store } = await loaded(failing(fault))
  await store.commit(one.writes, true)
  await store.commit(filling, true)
  fault.armed = true
  await expect(store.commit(two.writes, true)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  // or nothing would be shown here
  expect(fault.log).toContain(envelopeKey(two.id))
  return { store, fault }
}

const facts = ({ envelopes, whole, floors }: Snapshot) => ({
  envelopes: envelopes.map(({ release }) => release),
  whole,
  floors,
})
const ofOne = {
  envelopes: [one.id],
  whole: [one.id],
  floors: [makeFloor(1, [one.id]), makeFloor(1, [one.id])],
}

test('a release that could not be synced is not there after a kill right behind the answer', async () => {
  await failed()
  expect(facts(await afterKill())).toEqual(ofOne)
})

test('nor after a stop, and what was written behind it is', async () => {
  const { store } = await failed()
  await store.commit(three.writes, true)
  await store.close()
  const { snapshot } = await loaded()
  expect(facts(snapshot)).toMatchObject({
    envelopes: [one.id, three.id].sort(),
    whole: [one.id, three.id].sort(),
  })
})

test('where the disk takes nothing for a while it is taken back with the next write', async () => {
  const { store, fault } = await failed(true)
  await expect(store.commit(three.writes, true)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  fault.dead = false
  await store.commit(filling.slice(0, 1), true)
  expect(facts(await afterKill())).toEqual(ofOne)
})

test('or at the stop', async () => {
  const { store, fault } = await failed(true)
  fault.dead = false
  await store.close()
  expect(facts((await loaded()).snapshot)).toEqual(ofOne)
})

test('and what is written again after it has each block once', async () => {
  const { store } = await failed()
  await store.commit(two.writes, true)
  await store.close()
  const raw = levelDatabase(join(base, 'store'))
  await raw.open()
  for (const [digest, bytes] of two.blocks)
    expect(await raw.get(await blockKeyOf(raw, digest))).toEqual(bytes)
  await raw.close()
  expect((await loaded()).snapshot).toMatchObject({ corrupt: 0, whole: [one.id, two.id].sort() })
})

test('nor is anything of a batch before which what was written earlier could not be synced', async () => {
  let isDead = false
  const { store } = await loaded((raw) => ({
    settle: async () => {
      if (isDead) throw Object.assign(new Error('IO error: Input/output error'), { code: 'EIO' })
      return raw.settle()
    },
  }))
  await store.commit(one.writes, true)
  isDead = true
  await expect(store.commit(two.writes, true)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect((await readdir(join(base, 'floor'))).filter((name) => name.endsWith('.new'))).toEqual([])
  expect(facts(await afterKill())).toEqual(ofOne)
  isDead = false
})
