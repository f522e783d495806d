/** A stop does not wait for what may take long: files and folders that are looked at or written one by one. */
import { constants, type StatsFs } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  statfs,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Gate } from '../../src/activate/gate.ts'
import { differenceOf } from '../../src/activate/tree.ts'
import { LIMITS } from '../../src/limits.ts'
import type { ManifestEntry } from '../../src/model/manifest.ts'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return {
    ...real,
    open: vi.fn(real.open),
    readdir: vi.fn(real.readdir),
    unlink: vi.fn(real.unlink),
    copyFile: vi.fn(real.copyFile),
    statfs: vi.fn(real.statfs),
  }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

const MIB = 1024 * 1024
const CHUNKS = 12
const large = { path: 'large', content: 'x'.repeat(CHUNKS * MIB) }
const big = makeRelease(1, [large], { blockBytes: MIB / 4 })
const next = makeRelease(2, [large, { path: 'new', content: '' }], { blockBytes: MIB / 4 })
const many = makeRelease(
  3,
  Array.from({ length: 40 }, (_, at) => ({ path: `folder-${at}/file`, content: `${at}` })),
)

let bench: ActivateBench
const started = async (releases: readonly TestRelease[]): Promise<void> => {
  bench = await ActivateBench.start(releases)
}
afterEach(async () => {
  vi.mocked(open).mockReset().mockImplementation(real.open)
  vi.mocked(readdir).mockReset().mockImplementation(real.readdir)
  vi.mocked(unlink).mockReset().mockImplementation(real.unlink)
  vi.mocked(copyFile).mockReset().mockImplementation(real.copyFile)
  vi.mocked(statfs)
    .mockReset()
    .mockImplementation(real.statfs as typeof statfs)
  await bench?.cleanUp()
})

/** Stops the node as soon as this file is read from, and counts. */
function stopsAtRead(isIt: (path: string) => boolean): { reads: number; opened: number } {
  const seen = { reads: 0, opened: 0 }
  vi.mocked(open).mockImplementation(async (at, ...more) => {
    const handle = await real.open(at, ...more)
    if (!isIt(String(at))) return handle
    seen.opened++
    const read = handle.read.bind(handle) as (...parts: unknown[]) => Promise<never>
    const counted = (...parts: unknown[]): Promise<never> => {
      seen.reads++
      void bench.activator.stop()
      return read(...parts)
    }
    return Object.assign(handle, { read: counted })
  })
  return seen
}

test('a large file that is checked is not read to its end', async () => {
  await started([big])
  await bench.activate(big)
  bench.restarted()
  const seen = stopsAtRead((path) => path.endsWith('/large'))
  expect(await bench.restore(big)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect(seen.reads).toBe(1)
  expect(bench.codes()).toEqual([])
})

test('nor is one that was copied', async () => {
  await started([big, next])
  await bench.activate(big)
  bench.restarted()
  const seen = stopsAtRead((path) => path.includes('.new-') && path.endsWith('/large'))
  expect(await bench.activate(next, big)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect(seen.reads).toBe(1)
})

test('no more files are looked at', async () => {
  await started([many])
  await bench.activate(many)
  bench.restarted()
  const seen = stopsAtRead((path) => path.endsWith('/file'))
  expect(await bench.restore(many)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect(seen.opened).toBe(1)
})

test('what the node is ahead with is not looked at any longer either, and nothing is said of it', async () => {
  await started([many, big])
  await bench.activate(many)
  bench.restarted()
  const seen = stopsAtRead((path) => path.endsWith('/file'))
  expect(await bench.restore(big, many)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect([seen.opened, bench.codes()]).toEqual([1, []])
})

test('no more blocks of a file are written', async () => {
  await started([big])
  let blocks = 0
  const content = new Set([...big.blocks.keys()].filter((digest) => !big.pages.includes(digest)))
  const store = {
    readEnvelope: bench.store.readEnvelope.bind(bench.store),
    readBlock: (digest: Parameters<typeof bench.store.readBlock>[0]) => {
      if (content.has(digest) && ++blocks === 1) void bench.activator.stop()
      return bench.store.readBlock(digest)
    },
  }
  bench.restarted({ store })
  expect(await bench.activate(big)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect(blocks).toBe(1)
})

test('no more folders are made durable', async () => {
  await started([many])
  let synced = 0
  vi.mocked(open).mockImplementation((at, ...more) => {
    if (/\/\.new-[^/]*\/folder-\d+$/.test(String(at)) && ++synced === 1) void bench.activator.stop()
    return real.open(at, ...more)
  })
  expect(await bench.activate(many)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect([synced, await bench.trees()]).toEqual([1, []])
})

test('a tree that is not complete is left where it lies, and goes before the next is built', async () => {
  await started([many])
  vi.mocked(open).mockImplementation((at, ...more) => {
    if (String(at).endsWith('folder-20/file')) void bench.activator.stop()
    return real.open(at, ...more)
  })
  expect(await bench.activate(many)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect(vi.mocked(unlink)).not.toHaveBeenCalled()
  vi.mocked(open).mockImplementation(real.open)
  bench.restarted()
  expect(await bench.activate(many)).toMatchObject({ kind: 'healthy' })
  expect(await readdir(bench.path('.releases'))).toEqual([many.id, 'trees.json'])
  expect(bench.codes()).toEqual([])
})

test('where the disk has no room it goes all the same: the next start may come to nothing for it', async () => {
  await started([many])
  vi.mocked(open).mockImplementation((at, ...more) => {
    if (String(at).endsWith('folder-20/file')) void bench.activator.stop()
    return real.open(at, ...more)
  })
  vi.mocked(statfs).mockResolvedValue({ blocks: 1_000_000, bavail: 16_383, bsize: 4_096 } as StatsFs)
  expect(await bench.activate(many)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
})

test('nor is what is removed removed to its end', async () => {
  const trees = [1, 2, 3, 4].map((counter) =>
    makeRelease(
      counter,
      Array.from({ length: 40 }, (_, at) => ({ path: `${at}`, content: `${counter}` })),
    ),
  )
  const [first, second, third, fourth] = trees as [TestRelease, TestRelease, TestRelease, TestRelease]
  await started(trees)
  await bench.activate(first)
  await bench.activate(second, first)
  bench.restarted({ limits: { ...LIMITS, keepTrees: 1 } as unknown as typeof LIMITS })
  vi.mocked(unlink).mockImplementation((path) => {
    void bench.activator.stop()
    return real.unlink(path)
  })
  expect(await bench.activate(third, second)).toMatchObject({ kind: 'failed', text: 'the node stops' })
  expect(vi.mocked(unlink)).toHaveBeenCalledOnce()
  expect(bench.codes()).toEqual([])
  vi.mocked(unlink).mockImplementation(real.unlink)
  bench.restarted()
  expect(await bench.activate(fourth, third)).toMatchObject({ kind: 'healthy' })
  const left = await readdir(bench.path('.releases'))
  expect(left.filter((name) => name.startsWith('.new-'))).toEqual([])
})

describe('a file of many megabytes that did not change, where the file system cannot share it', () => {
  const long = { path: 'long', content: 'y'.repeat(17 * MIB) }
  const [before, after] = [makeRelease(1, [long], { blockBytes: MIB / 4 }), grown()]
  function grown(): TestRelease {
    return makeRelease(2, [long, { path: 'new', content: '' }], { blockBytes: MIB / 4 })
  }
  const shared = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE

  beforeEach(async () => {
    await started([before, after])
    await bench.activate(before)
    vi.mocked(copyFile).mockImplementation((from, to, mode) =>
      mode === shared
        ? Promise.reject(Object.assign(new Error('not supported'), { code: 'ENOTSUP' }))
        : real.copyFile(from, to, mode),
    )
  })

  test('is copied in pieces, and checked, with no block read', async () => {
    const readBlock = vi.fn(bench.store.readBlock.bind(bench.store))
    bench.restarted({ store: { readBlock, readEnvelope: bench.store.readEnvelope.bind(bench.store) } })
    expect(await bench.activate(after, before)).toMatchObject({ kind: 'healthy', changed: 1 })
    expect(vi.mocked(copyFile).mock.calls.map(([, , mode]) => mode)).toEqual([shared])
    expect(
      readBlock.mock.calls.filter(([digest]) => ![before, after].some(({ pages }) => pages.includes(digest))),
    ).toEqual([])
    expect((await readFile(bench.path('current', 'long'))).equals(Buffer.from(long.content))).toBe(true)
  })

  test.each([
    ['of its length', 'z'.repeat(17 * MIB)],
    ['that is longer', `${long.content}z`],
  ])('is built anew where it was changed to another %s', async (_, content) => {
    const path = bench.path('current', 'long')
    await chmod(path, 0o600)
    await writeFile(path, content)
    await bench.activate(after, before)
    expect((await readFile(bench.path('current', 'long'))).equals(Buffer.from(long.content))).toBe(true)
  })

  test('is not copied to its end where the node stops', async () => {
    const seen = stopsAtRead((path) => path.endsWith(`${before.id}/long`))
    expect(await bench.activate(after, before)).toMatchObject({ kind: 'failed', text: 'the node stops' })
    expect(seen.reads).toBe(1)
  })
})

/** Turns of the event loop so far. */
function countTurns(): { readonly turns: () => number; stop(): void } {
  let turns = 0
  const count = (): void => {
    turns++
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  return { turns: () => turns, stop: () => clearImmediate(timer) }
}

const checked = (root: string, files: readonly ManifestEntry[]): Promise<string | undefined> =>
  new Gate(1).within((apart) =>
    differenceOf(root, files, { mode: undefined, gid: undefined }, new AbortController().signal, apart),
  )

test('a long chain of folders with many files in it is gone through in slices, each folder once', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'confmesh-chain-'))
  const root = join(dir, 'tree')
  await mkdir(root, { mode: 0o700 })
  const chain = Array.from({ length: 500 }, () => 'd').join('/')
  const files = Array.from({ length: 60_000 }, (_, at) => ({ path: `${chain}/${at}` })) as ManifestEntry[]
  const counted = countTurns()
  const startedAt = performance.now()
  const difference = await checked(root, files)
  counted.stop()
  await rm(dir, { recursive: true })
  expect(difference).toBe('the tree: other mode')
  expect(counted.turns()).toBeGreaterThanOrEqual(10)
  // Some 0.2 s; with all folders of each file gone through it is half a minute.
  expect(performance.now() - startedAt).toBeLessThan(20_000)
})

test('what is to be in a tree, and what is found there, is gone through in slices', async () => {
  const names = Array.from({ length: 60_000 }, (_, at) => `${at}`)
  const files = names.map((path) => ({ path })) as ManifestEntry[]
  const counted = countTurns()
  const seen: number[] = []
  let asked = 0
  const found = names.map((name) => {
    const isDirectory = () => {
      seen.push(counted.turns())
      return name === '59999'
    }
    return { parentPath: '/tree', name, isDirectory }
  })
  vi.mocked(readdir).mockImplementation(async () => {
    asked = counted.turns()
    return found as never
  })
  const difference = await checked('/tree', files)
  counted.stop()
  expect(difference).toBe('59999: not of this release')
  expect(asked).toBeGreaterThanOrEqual(10)
  expect((seen.at(-1) ?? 0) - (seen[0] ?? 0)).toBeGreaterThanOrEqual(10)
})
