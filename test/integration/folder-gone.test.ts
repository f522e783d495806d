/** A store whose folder is taken away: nothing counts as durable from then on, and it is told once. */
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { Snapshot } from '../../src/runtime/ports.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { LevelStore } from '../../src/store/level.ts'
import { FLEET, makeFloor, makeRelease } from '../contract/store-fixtures.ts'

const NEVER_MS = 3_600_000
let base: string
let gone: string[]
let store: LevelStore

/** @param written comes right behind each batch of LevelDB */
async function open(storeWatchMs: number, written = async () => {}): Promise<Snapshot> {
  store = new LevelStore({
    dir: join(base, 'data', 'store'),
    floorDir: join(base, 'files', '.confmesh'),
    lockDirs: [join(base, 'files')],
    fleetId: FLEET,
    limits: { ...LIMITS, storeWatchMs },
    log: { note: () => {} },
    onGone: ({ code }) => void gone.push(code),
    database: (dir) => {
      const raw = levelDatabase(dir)
      return { ...raw, batch: (...of) => raw.batch(...of).then(written) }
    },
  })
  await store.open()
  return store.load()
}

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-gone-'))
  gone = []
})
afterEach(async () => {
  await store.close()
  await rm(base, { recursive: true, force: true })
})

const release = (counter: number) => makeRelease(counter, [{ path: 'a', content: `${counter}` }])
const commit = (counter: number) => store.commit(release(counter).writes, true)

test.each([
  ['the store', 'data/store'],
  ['the data folder', 'data'],
  ['the floor', 'files/.confmesh'],
  ['the files', 'files'],
])('%s removed: LevelDB still takes the bytes, the commit is refused', async (_, path) => {
  await open(NEVER_MS)
  await commit(1)
  await rm(join(base, path), { recursive: true })
  await expect(commit(2)).rejects.toMatchObject({ code: 'STORE_GONE' })
  await expect(commit(3)).rejects.toMatchObject({ code: 'STORE_GONE' })
  expect(gone).toEqual(['STORE_GONE'])
})

test('another folder in its place is not taken for it', async () => {
  await open(NEVER_MS)
  await rename(join(base, 'data'), join(base, 'old'))
  await mkdir(join(base, 'data', 'store'), { recursive: true })
  await writeFile(join(base, 'data', 'store', 'LOCK'), '')
  await expect(commit(1)).rejects.toMatchObject({ code: 'STORE_GONE' })
})

test('a file in its place is not taken for it either', async () => {
  await open(NEVER_MS)
  await rename(join(base, 'data'), join(base, 'old'))
  await writeFile(join(base, 'data'), '')
  await expect(commit(1)).rejects.toMatchObject({ code: 'STORE_GONE' })
})

test('one that cannot be looked at for a while refuses commits, and is not yet gone', async () => {
  await open(NEVER_MS)
  await rename(join(base, 'data'), join(base, 'aside'))
  await symlink('data', join(base, 'data')) // a link to itself: nobody can look behind it
  const writes = [...release(1).writes, { kind: 'floor', floor: makeFloor(1, []) } as const]
  await expect(store.commit(writes, true)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect((await readdir(join(base, 'files', '.confmesh'))).filter((name) => name.endsWith('.new'))).toEqual(
    [],
  )
  await rm(join(base, 'data'))
  await rename(join(base, 'aside'), join(base, 'data'))
  // what was refused is not there
  await store.close()
  expect(await open(NEVER_MS)).toMatchObject({ floors: [], envelopes: [], whole: [] })
  await commit(1)
  expect(gone).toEqual([])
})

test('removed while a commit is being written, it is refused', async () => {
  let isTaken = false
  await open(NEVER_MS, async () => {
    if (isTaken) await rm(join(base, 'data'), { recursive: true })
  })
  isTaken = true
  await expect(commit(1)).rejects.toMatchObject({ code: 'STORE_GONE' })
  isTaken = false
})

test('what was written stands, though nobody can look at the folder right behind it', async () => {
  let isTaken = false
  await open(NEVER_MS, async () => {
    if (!isTaken) return
    await rename(join(base, 'data'), join(base, 'aside'))
    await symlink('data', join(base, 'data'))
  })
  isTaken = true
  await commit(1)
  isTaken = false
  await rm(join(base, 'data'))
  await rename(join(base, 'aside'), join(base, 'data'))
  await store.close()
  expect(await open(NEVER_MS)).toMatchObject({ whole: [release(1).id] })
})

test('it is seen without a write as well', async () => {
  await open(20)
  await rm(join(base, 'data'), { recursive: true })
  await expect.poll(() => gone, { timeout: 5_000 }).toEqual(['STORE_GONE'])
})

test('a folder that stays is no trouble', async () => {
  await open(20)
  await commit(1)
  await commit(2)
  expect(gone).toEqual([])
})
