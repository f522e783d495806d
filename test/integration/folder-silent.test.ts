/** A watched folder on a network file system: what its silent server does not answer keeps nothing else waiting. */
import { statSync } from 'node:fs'
import { mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { EffectOf } from '../../src/runtime/ports.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { LevelStore } from '../../src/store/level.ts'
import { FLEET, makeRelease } from '../contract/store-fixtures.ts'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, statSync: vi.fn(real.statSync) }
})
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, stat: vi.fn(real.stat), statfs: vi.fn(real.statfs) }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

const NFS = 0x6969
const NEVER_MS = 3_600_000
const release = (counter: number) => makeRelease(counter, [{ path: 'a', content: `${counter}` }])
const commit = (counter: number) => store.commit(release(counter).writes, true)
const unanswered = new Map<string, () => void>()
let base: string
let store: LevelStore
let gone: string[]
let notes: EffectOf<'note'>[]
const files = () => join(base, 'files')
const lock = () => join(files(), '.lock', 'LOCK')

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-silent-'))
  ;[gone, notes] = [[], []]
  vi.mocked(statSync).mockClear()
  vi.mocked(statfs).mockImplementation(async (path) => {
    const said = await real.statfs(path as string)
    return String(path).startsWith(files()) ? { ...said, type: NFS } : said
  })
})
afterEach(async () => {
  vi.mocked(stat).mockImplementation(real.stat as typeof stat)
  for (const answer of unanswered.values()) answer()
  unanswered.clear()
  await store.close()
  await rm(base, { recursive: true, force: true })
})

async function open(storeWatchMs: number, written = async () => {}): Promise<void> {
  store = new LevelStore({
    dir: join(base, 'data', 'store'),
    floorDir: join(base, 'floor'),
    lockDirs: [files()],
    fleetId: FLEET,
    limits: { ...LIMITS, storeWatchMs },
    log: { note: (note) => void notes.push(note) },
    onGone: ({ code }) => void gone.push(code),
    database: (dir) => {
      const raw = levelDatabase(dir)
      return { ...raw, batch: (...of) => raw.batch(...of).then(written) }
    },
  })
  await store.open()
  await store.load()
}

/** From now on the server says nothing of the folder until it is told to. */
function fallSilent(): () => number {
  let asked = 0
  vi.mocked(stat).mockImplementation((async (...of: Parameters<typeof stat>) => {
    if (String(of[0]).startsWith(files())) {
      asked += 1
      await new Promise<void>((answer) => unanswered.set(`${asked}`, answer))
    }
    return real.stat(...of)
  }) as typeof stat)
  return () => asked
}

const lookedInPlace = () => vi.mocked(statSync).mock.calls.map(([path]) => String(path))

test('a silent server keeps neither commits nor the process waiting, is asked no more, and is told once', async () => {
  await open(20)
  const asked = fallSilent()
  await expect
    .poll(() => notes)
    .toMatchObject([{ level: 'warn', code: 'STORE_SLOW', text: expect.stringContaining(files()) }])
  const looks = asked()
  await commit(1)
  const [digest] = release(1).writes.flatMap((write) => (write.kind === 'block' ? [write.digest] : []))
  if (digest === undefined) throw new Error('no block')
  expect(await store.readBlock(digest)).toBeDefined()
  await store.close()
  expect([asked(), notes.length, gone]).toEqual([looks, 1, []])
  expect(lookedInPlace()).not.toContain(lock())
  expect(lookedInPlace()).toContain(join(base, 'data', 'store', 'LOCK'))
})

test('one whose file system does not say what it is, is asked as one of another host is', async () => {
  vi.mocked(statfs).mockRejectedValue(Object.assign(new Error('ENOSYS'), { code: 'ENOSYS' }))
  await open(NEVER_MS)
  await commit(1)
  expect(lookedInPlace()).not.toContain(lock())
})

test('a commit under way when it falls silent goes on without it', { timeout: 10_000 }, async () => {
  await open(100)
  fallSilent()
  await commit(1)
  expect(gone).toEqual([])
})

test('once it answers it is looked at again, and what is gone is seen', async () => {
  await open(20)
  fallSilent()
  await expect.poll(() => notes.length).toBe(1)
  await rm(files(), { recursive: true })
  vi.mocked(stat).mockImplementation(real.stat as typeof stat)
  expect(gone).toEqual([])
  for (const answer of unanswered.values()) answer()
  await expect.poll(() => gone).toEqual(['STORE_GONE'])
})

test('one that answers is asked before a commit and behind it', async () => {
  let isTaken = false
  await open(NEVER_MS, async () => {
    if (isTaken) await rm(files(), { recursive: true, force: true })
  })
  await commit(1)
  isTaken = true
  await expect(commit(2)).rejects.toMatchObject({ code: 'STORE_GONE' })
  isTaken = false
  await expect(commit(3)).rejects.toMatchObject({ code: 'STORE_GONE' })
  expect(lookedInPlace()).not.toContain(lock())
})
