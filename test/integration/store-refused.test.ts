/** A disk that refuses writes with anything but "full": the store says so, and takes writes again once it takes them. */
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS, type Limits } from '../../src/limits.ts'
import type { Write } from '../../src/runtime/ports.ts'
import { CommitQueue } from '../../src/store/commit-queue.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { DiskProbe } from '../../src/store/disk-probe.ts'
import { type FloorFiles, floorFiles } from '../../src/store/floor-files.ts'
import { LevelStore } from '../../src/store/level.ts'
import type { StoreEvent } from '../contract/store-contract.ts'
import { block, FLEET, makeFloor, makeRelease } from '../contract/store-fixtures.ts'

const [one, two] = [1, 2].map((counter) =>
  makeRelease(counter, [{ path: 'app.yaml', content: `version: ${counter}\n` }]),
) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]
const floor = (counter: number): Write => ({ kind: 'floor', floor: makeFloor(counter, []) })
const SOON: Limits = { ...LIMITS, storeProbeBytes: 1_000, storeProbeMs: 20 }
/** Only a commit looks whether the disk takes writes again. */
const NEVER: Limits = { ...SOON, storeProbeMs: 2 ** 30 }
const refused = { kind: 'storeMode', readOnly: true, code: 'STORE_FAILED' } as const
const again = { kind: 'storeMode', readOnly: false } as const
const system = (code: string) => Object.assign(new Error(`${code}: as told`), { code })
const level = (text: string) => Object.assign(new Error(`IO error: ${text}`), { code: 'LEVEL_IO_ERROR' })

let base: string
let store: LevelStore
let events: StoreEvent[]
let notes: EffectOf<'note'>[]
/** How often LevelDB was opened. */
let opened: number
/** What the disk answers each write with; undefined: it takes them. */
let trouble: Error | undefined
const files = () => join(base, 'files')
const floorDir = () => join(files(), '.confmesh')

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-refused-'))
  ;[events, notes, opened, trouble] = [[], [], 0, undefined]
})
afterEach(async () => {
  vi.restoreAllMocks()
  trouble = undefined
  await store.close()
  await rm(base, { recursive: true, force: true })
})

interface Faulty {
  readonly limits?: Limits
  readonly database?: (raw: Database) => Partial<Database>
  readonly floors?: FloorFiles
}

async function load({ limits = NEVER, database = () => ({}), floors }: Faulty = {}): Promise<void> {
  store = new LevelStore({
    dir: join(base, 'data', 'store'),
    floorDir: floorDir(),
    lockDirs: [files()],
    fleetId: FLEET,
    limits,
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
    database: (dir) => {
      const raw = levelDatabase(dir)
      const open = async () => {
        opened += 1
        await raw.open()
      }
      return { ...raw, open, ...database(raw) }
    },
    ...(floors === undefined ? {} : { floors }),
  })
  await store.open()
  await store.load()
}

const refuses = (writes: readonly Write[], sync = true) =>
  expect(store.commit(writes, sync)).rejects.toMatchObject({ code: 'STORE_FAILED' })
const takesWritesAgain = () => expect.poll(() => events, { timeout: 10_000 }).toEqual([refused, again])

/** LevelDB answers each batch with it, though the folder takes files. */
const batches = (raw: Database): Partial<Database> => ({
  batch: async (...of) => {
    // An empty one is no write.
    if (trouble !== undefined && of[0].length > 0) throw trouble
    await raw.batch(...of)
  },
})
const secondCopy = (): FloorFiles => {
  const real = floorFiles(floorDir(), FLEET, NEVER)
  return {
    ...real,
    prepare: async (...of) => {
      if (trouble !== undefined) throw trouble
      return real.prepare(...of)
    },
  }
}

test.each([
  ['EACCES', level('5.log: Permission denied'), true],
  ['EIO', level('5.log: Input/output error'), true],
  ['EIO, a write that nobody waits for', level('5.log: Input/output error'), false],
])('LevelDB is refused each write (%s): it is told, and taken back by itself', async (_, error, sync) => {
  await load({ limits: SOON, database: batches })
  await store.commit(one.writes, true)
  trouble = error
  await refuses([block('new')], sync)
  expect(events).toEqual([refused])
  expect(notes.map(({ code, text }) => [code, text])).toEqual([
    ['STORE_FAILED', expect.stringMatching(/store: IO error: .*; what is stored is served on/)],
  ])
  await refuses(two.writes)
  expect(await store.readEnvelope(one.id)).toEqual(one.envelope)
  trouble = undefined
  await takesWritesAgain()
  await store.commit(two.writes, true)
  expect(events).toEqual([refused, again])
})

test.each(['EACCES', 'EPERM', 'EIO'])(
  'the second copy is refused each write (%s), in a folder that takes others: LevelDB is not opened again and again',
  async (code) => {
    await load({ limits: SOON, floors: secondCopy() })
    const before = opened
    trouble = system(code)
    for (const counter of [1, 2, 3]) await refuses([floor(counter)])
    expect(events).toEqual([refused])
    expect(notes[0]?.text).toContain(floorDir())
    expect(opened).toBe(before)
    trouble = undefined
    await takesWritesAgain()
    await store.commit([floor(4)], true)
    expect(events).toEqual([refused, again])
    expect((await readdir(floorDir())).filter((name) => name.endsWith('.new'))).toEqual([])
  },
)

test('a folder of the second copy that cannot be written to is told as well', async () => {
  let shut = false
  const real = floorFiles(floorDir(), FLEET, NEVER)
  const prepare: FloorFiles['prepare'] = async (...of) => {
    if (!shut) return real.prepare(...of)
    shut = false
    throw system('EACCES')
  }
  await load({ floors: { ...real, prepare } })
  // what is tried there is tried in vain, until somebody has set the folder right
  await mkdir(join(floorDir(), 'probe', 'in'), { recursive: true })
  shut = true
  await refuses([floor(1)])
  expect(events).toEqual([refused])
  await rm(join(floorDir(), 'probe'), { recursive: true })
  await store.commit([floor(1)], true)
  expect(events).toEqual([refused, again])
})

test.each([
  ['the data folder', 'data'],
  ['the folder of the files', 'files'],
])('%s cannot be looked at for a while: it is told', async (_, name) => {
  await load()
  await rename(join(base, name), join(base, 'aside'))
  await symlink(name, join(base, name)) // a link to itself: nobody can look behind it
  await refuses(one.writes)
  expect(events).toEqual([refused])
  await rm(join(base, name))
  await rename(join(base, 'aside'), join(base, name))
  await store.commit(one.writes, true)
  expect(events).toEqual([refused, again])
})

test('what fails once and goes through when it is tried again is no state of the store', async () => {
  const once = (raw: Database): Partial<Database> => ({
    batch: async (...of) => {
      const error = trouble
      trouble = undefined
      if (error !== undefined) throw error
      await raw.batch(...of)
    },
  })
  await load({ database: once })
  trouble = level('5.log: Input/output error')
  await refuses(one.writes)
  await store.commit(one.writes, true)
  expect(events).toEqual([])
})

test('a folder that is gone ends the node: that is no state of the store either', async () => {
  await load()
  await rm(join(base, 'data'), { recursive: true })
  for (const { writes } of [one, two])
    await expect(store.commit(writes, true)).rejects.toMatchObject({ code: 'STORE_GONE' })
  expect(events).toEqual([])
})

test('why it takes no writes is told anew where the reason is another by now', async () => {
  await load({ database: batches })
  trouble = level('5.log: No space left on device')
  await expect(store.commit(one.writes, true)).rejects.toMatchObject({ code: 'STORE_FULL' })
  trouble = level('5.log: Input/output error')
  await refuses(one.writes)
  expect(events).toEqual([{ ...refused, code: 'STORE_FULL' }, refused])
  expect(notes.map(({ code }) => code)).toEqual(['STORE_FULL', 'STORE_FAILED'])
})

/**
 * LevelDB cannot merge its tables: it finds out a while after it was opened, and refuses each write from then until it is
 * opened anew.
 */
const unmerged = (raw: Database): Partial<Database> => {
  let lately = opened
  return {
    batch: async (...of) => {
      if (trouble !== undefined && opened === lately) throw trouble
      lately = opened
      await raw.batch(...of)
    },
  }
}
const torn = Object.assign(new Error('Corruption: block checksum mismatch: 5.ldb'), {
  code: 'LEVEL_CORRUPTION',
})

test.each([
  ['STORE_FAILED', level('5.ldb: Input/output error'), 2],
  ['STORE_CORRUPT', torn, 0],
] as const)(
  'LevelDB cannot merge its tables (%s): it is told, and not opened anew for each write',
  async (code, error, openings) => {
    await load({ database: unmerged })
    await store.commit(one.writes, true)
    const before = opened
    trouble = error
    for (const name of ['a', 'b', 'c'])
      await expect(store.commit([block(name)], false)).rejects.toMatchObject({ code })
    expect(events).toEqual([{ ...refused, code }])
    expect(opened - before).toBe(openings)
    expect(await store.readEnvelope(one.id)).toEqual(one.envelope)
  },
)

test('nor where it takes some writes before it has tried to merge them again', async () => {
  const left = { opened: -1, writes: 0 }
  const unmergedYet = (raw: Database): Partial<Database> => ({
    batch: async (...of) => {
      // A few writes go through after each opening, before the tables are read.
      if (left.opened !== opened) Object.assign(left, { opened, writes: 4 })
      if (trouble !== undefined && left.writes-- <= 0) throw trouble
      await raw.batch(...of)
    },
  })
  await load({ database: unmergedYet })
  await store.commit(one.writes, true)
  const before = opened
  trouble = level('5.ldb: Input/output error')
  for (let at = 0; at < 20; at += 1) await store.commit([block(`block ${at}`)], false).catch(() => undefined)
  expect(events).toEqual([refused])
  expect(opened - before).toBeLessThanOrEqual(2)
})

test('it goes on by itself once it has merged them, which is not when it was opened anew', async () => {
  await load({ limits: SOON, database: unmerged })
  const before = opened
  trouble = level('5.ldb: Input/output error')
  for (const name of ['a', 'b']) await refuses([block(name)], false)
  await expect.poll(() => opened - before, { timeout: 10_000 }).toBeGreaterThan(3)
  expect(events).toEqual([refused])
  trouble = undefined
  await takesWritesAgain()
  await store.commit(two.writes, true)
  expect(events).toEqual([refused, again])
})

test('what is damaged takes nothing until a restart, and is not tried again', async () => {
  await load({ database: batches })
  const probing = vi.spyOn(DiskProbe.prototype, 'start')
  const before = opened
  for (const error of [torn, undefined]) {
    trouble = error
    await expect(store.commit(one.writes, true)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  }
  expect(opened).toBe(before)
  expect(probing).not.toHaveBeenCalled()
  await store.close()
  expect(events).toEqual([{ ...refused, code: 'STORE_CORRUPT' }])
})

/** Each try takes so long to fail. */
const slow =
  (tried: () => Promise<unknown>) =>
  (raw: Database): Partial<Database> => ({
    ...batches(raw),
    probe: async (bytes) => {
      if (trouble !== undefined) await tried()
      if (trouble !== undefined) throw trouble
      await raw.probe(bytes)
    },
  })

test('a disk that takes its time to fail is tried once at a time: neither commits nor the stop wait for more', async () => {
  let tries = 0
  const tried = () => {
    tries += 1
    return new Promise((resolve) => setTimeout(resolve, 200))
  }
  await load({ limits: SOON, database: slow(tried) })
  trouble = system('EIO')
  await refuses(one.writes)
  await expect.poll(() => tries, { timeout: 10_000 }).toBeGreaterThan(3)
  const before = tries
  await refuses(two.writes)
  await store.close()
  // one that had its turn, one of the commit, one of the stop: what could not be synced is taken back
  expect(tries - before).toBeLessThanOrEqual(3)
})

test('a try that waits for its turn is none any more once the store is closed', async () => {
  const gate = Promise.withResolvers<void>()
  let tries = 0
  const tried = () => {
    tries += 1
    return gate.promise
  }
  await load({ limits: SOON, database: slow(tried) })
  const turns = vi.spyOn(CommitQueue.prototype, 'run')
  trouble = system('ENOSPC')
  const refusal = expect(store.commit(one.writes, true)).rejects.toMatchObject({ code: 'STORE_FULL' })
  // behind the commit, which tries at once
  await expect.poll(() => turns.mock.calls.length, { timeout: 10_000 }).toBe(1)
  const closed = store.close()
  gate.resolve()
  await Promise.all([refusal, closed])
  // of the commit, and of the stop
  expect(tries).toBe(2)
})
