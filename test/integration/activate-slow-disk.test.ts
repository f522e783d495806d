/** The disk that trees lie on hangs: the store, on another one, goes on, for both share the threads of the process. */
import { execFileSync } from 'node:child_process'
import { constants, existsSync, openSync } from 'node:fs'
import { mkdir, open, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { removeTree } from '../../src/activate/tree.ts'
import type { Channel } from '../../src/model/ids.ts'
import type { ActivationOutcome } from '../../src/runtime/ports.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { block, makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { storeLives } from '../contract/store-lives.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open) }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

const lives = storeLives('confmesh-slow-disk-')
const releases = Array.from({ length: 8 }, (_, at) =>
  makeRelease(
    1,
    Array.from({ length: 20 }, (_, file) => ({ path: `${file}`, content: `${at} ${file}` })),
    { channel: `slow/c${at}` as Channel },
  ),
)
const activateAll = (): Promise<readonly ActivationOutcome[]> =>
  Promise.all(releases.map((release) => bench.activate(release)))
const ALL_HEALTHY = releases.map(() => expect.objectContaining({ kind: 'healthy' }))

let bench: ActivateBench
/** Lets go on whatever waits, also where a test has failed before it did. */
const ends: (() => void)[] = []
beforeEach(async () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', undefined)
  bench = await ActivateBench.start(releases)
})
afterEach(async () => {
  for (const end of ends.splice(0)) end()
  vi.unstubAllEnvs()
  vi.mocked(open).mockReset().mockImplementation(real.open)
  await bench.cleanUp()
})

const DEADLINE_MS = 20_000

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not so within ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function inTime<T>(what: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`not within ${DEADLINE_MS} ms`)), DEADLINE_MS)
  return Promise.race([what, late.promise]).finally(() => clearTimeout(timer))
}

/** What is done with a file or a folder of trees in place of its sync. */
function insteadOfSync(wait: () => Promise<void>, isIt = (_path: string): boolean => true): void {
  vi.mocked(open).mockImplementation(async (at, ...more) => {
    const handle = await real.open(at, ...more)
    const path = String(at)
    return path.startsWith(bench.dir) && isIt(path) ? Object.assign(handle, { sync: wait }) : handle
  })
}

test('the store reads and writes while the files of all channels hang', async () => {
  const store = await lives.open(levelDatabase)
  await store.load()
  const [here, comes] = [block('here'), block('comes')]
  await store.commit([here], true)
  const pipe = lives.path('pipe')
  execFileSync('mkfifo', [pipe])
  let hanging = 0
  // Who opens a pipe that nobody writes to holds a thread of the process, as a sync does.
  insteadOfSync(async () => {
    hanging++
    await (await real.open(pipe, 'r')).close()
  })
  const outcomes = activateAll()
  try {
    await until(() => hanging >= 2)
    expect(await inTime(store.readBlock(here.digest))).toEqual(here.bytes)
    await inTime(store.commit([comes], true))
    expect(hanging).toBe(2)
  } finally {
    // It stays open: what comes later does not hang, either.
    openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  }
  expect(await outcomes).toEqual(ALL_HEALTHY)
})

/** What waits until it is let go on. */
function held() {
  const go = Promise.withResolvers<void>()
  ends.push(go.resolve)
  const seen = { now: 0, wait, go: go.resolve }
  async function wait(): Promise<void> {
    seen.now++
    await go.promise
    seen.now--
  }
  return seen
}

/** Whatever else is on its way has come meanwhile. */
async function trips(): Promise<void> {
  for (let trip = 0; trip < 200; trip++) await stat(bench.dir)
}

test.each([
  { threads: undefined, most: 2 },
  { threads: '8', most: 4 },
  { threads: '48', most: 16 },
])('of $threads threads $most may wait for files, all channels together', async ({ threads, most }) => {
  vi.stubEnv('UV_THREADPOOL_SIZE', threads)
  const disk = held()
  insteadOfSync(disk.wait)
  const outcomes = activateAll()
  await until(() => disk.now >= most)
  await trips()
  expect(disk.now).toBe(most)
  disk.go()
  expect(await outcomes).toEqual(ALL_HEALTHY)
})

test('a step back looks at as many files at a time: what failed its check is in sight meanwhile', async () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', '48')
  const [good] = releases as [TestRelease]
  const bad = makeRelease(2, [{ path: '0', content: 'bad' }], { channel: good.channel })
  await bench.store.commit(bad.writes)
  bench.restarted()
  await bench.activate(good)
  await bench.activate(bad, good)
  const disk = held()
  vi.mocked(open).mockImplementation(async (at, ...more) => {
    if (String(at).includes(`/.releases/${good.id}/`)) await disk.wait()
    return real.open(at, ...more)
  })
  const outcome = bench.activate(good, bad, true)
  await until(() => disk.now >= 16)
  await trips()
  expect(disk.now).toBe(16)
  disk.go()
  expect(await outcome).toMatchObject({ kind: 'healthy' })
  expect(bench.codes()).toEqual([])
})

test('so do what is noted of hooks, and that they are through', async () => {
  const hook = { channels: ['**'], command: ['/bin/sh', '-c', 'touch hooked'], timeoutMs: 60_000 }
  bench.restarted({ hooks: [hook] })
  const [begun, verdict] = [held(), held()]
  vi.mocked(open).mockImplementation(async (at, ...more) => {
    const path = String(at)
    if (path.endsWith('/running.new')) await begun.wait()
    if (path.endsWith('/trees.json.new') && existsSync(join(dirname(path), '../hooked'))) await verdict.wait()
    return real.open(at, ...more)
  })
  const outcomes = activateAll()
  for (const notes of [begun, verdict]) {
    await until(() => notes.now >= 2)
    await trips()
    expect(notes.now).toBe(2)
    notes.go()
  }
  expect(await outcomes).toEqual(ALL_HEALTHY)
})

test('files of an old tree go one by one: what else needs a thread does not come after all of them', async () => {
  const root = lives.path('tree')
  await mkdir(join(root, 'etc'), { recursive: true })
  for (let at = 0; at < 2_000; at++) await writeFile(join(root, 'etc', `${at}`), '')
  let [isGone, trips] = [false, 0]
  const removed = removeTree(root, new AbortController().signal).then(() => {
    isGone = true
  })
  for (; !isGone; trips++) await stat(bench.dir)
  await removed
  expect(trips).toBeGreaterThan(500)
  await expect(stat(root)).rejects.toThrow('ENOENT')
})
