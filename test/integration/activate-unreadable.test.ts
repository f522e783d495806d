/** A file of the last tree that cannot be read is no reason to fail: the store has it. A full disk is, whole. */
import { copyFile, type FileHandle, lstat, open, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { makeRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, copyFile: vi.fn(real.copyFile), open: vi.fn(real.open) }
})

const same = { path: 'etc/same.conf', content: 'the same in all\n' }
const first = makeRelease(1, [same, { path: 'app.yaml', content: '1' }])
const second = makeRelease(2, [same, { path: 'app.yaml', content: '2, longer' }])
let bench: ActivateBench
afterEach(async () => {
  vi.mocked(copyFile).mockReset()
  vi.mocked(open).mockReset()
  await bench.cleanUp()
})
const shown = async (): Promise<void> => {
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  expect(await bench.visible()).toEqual({ 'etc/same.conf': same.content, 'app.yaml': '2, longer' })
}
const broken = (code: string) => async (_: unknown, to: unknown) => {
  await writeFile(String(to), 'half of it')
  throw Object.assign(new Error(`${code}: cannot copy`), { code })
}

test('a folder of the last tree that leads nowhere', async () => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  await rm(bench.path('current', 'etc'), { recursive: true })
  await symlink('etc', bench.path('current', 'etc'))
  await shown()
})

test.each(['EIO', 'EACCES'])('%s in the middle of a file: nothing of it stays', async (code) => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  vi.mocked(copyFile).mockImplementation(broken(code))
  await shown()
  expect(copyFile).toHaveBeenCalledOnce()
})

test('of the last tree only what did not change is copied', async () => {
  const third = makeRelease(3, [same, { path: 'app.yaml', content: '3' }])
  bench = await ActivateBench.start([first, third])
  await bench.activate(first)
  expect(await bench.activate(third, first)).toMatchObject({ kind: 'healthy', changed: 1 })
  expect(await bench.visible()).toEqual({ 'etc/same.conf': same.content, 'app.yaml': '3' })
  expect(vi.mocked(copyFile).mock.calls.map(([from]) => from)).toEqual([
    bench.path('.releases', first.id, 'etc/same.conf'),
  ])
})

test('a file of which only the mode changed is copied, and gets its mode', async () => {
  const run = makeRelease(3, [same, { path: 'app.yaml', content: '1', mode: 0o555 }])
  bench = await ActivateBench.start([first, run])
  await bench.activate(first)
  expect(await bench.activate(run, first)).toEqual({ kind: 'healthy', changed: 1 })
  expect(vi.mocked(copyFile)).toHaveBeenCalledTimes(2)
  expect((await lstat(bench.path('current', 'app.yaml'))).mode & 0o777).toBe(0o555)
})

test('of a last tree that nothing is known of any longer what is the same is copied', async () => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  for (const page of first.pages) bench.store.disk.damageBlock(page)
  await shown()
  expect(vi.mocked(copyFile)).toHaveBeenCalledOnce()
})

test('a disk that is full is said to be full', async () => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  vi.mocked(copyFile).mockImplementation(broken('ENOSPC'))
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code: 'STORE_FULL' })
  expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
})

/** From the so-many-th write on there is no room; how many were tried. */
async function fullAt(failAt: number): Promise<() => number> {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  let writes = 0
  vi.mocked(open).mockImplementation(async (...args) => {
    const handle = await real.open(...args)
    const write = handle.write.bind(handle) as (...of: unknown[]) => unknown
    const failing = async (...of: unknown[]) => {
      writes += 1
      if (writes >= failAt) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      return write(...of)
    }
    return Object.assign(handle, { write: failing as FileHandle['write'] })
  })
  return () => writes
}

test('a full disk at any write of a tree: nothing half, and the next try succeeds', async () => {
  // two blocks in one file, so that one of the writes is in the midst of it
  const large = makeRelease(2, [
    { path: 'app.yaml', content: '2' },
    { path: 'etc/large', content: 'block after block '.repeat(500) },
  ])
  bench = await ActivateBench.start([first, large])
  await bench.activate(first)
  const before = await bench.visible()
  const blocks = [...large.blocks.keys()].filter((digest) => !large.pages.includes(digest)).length
  expect(blocks).toBeGreaterThan(2)
  for (let failAt = 1; failAt <= blocks; failAt += 1) {
    const writes = await fullAt(failAt)
    expect(await bench.activate(large, first)).toMatchObject({ kind: 'failed', code: 'STORE_FULL' })
    expect(writes()).toBeGreaterThanOrEqual(failAt)
    const left = await readdir(bench.path('.releases'))
    expect(left.filter((name) => /^\.new-|^[0-9a-f]{64}/.test(name))).toEqual([first.id])
    expect(await bench.visible()).toEqual(before)
  }
  const writes = await fullAt(Number.POSITIVE_INFINITY)
  expect(await bench.activate(large, first)).toMatchObject({ kind: 'healthy' })
  expect(writes()).toBe(blocks)
  expect(Object.keys(await bench.visible()).sort()).toEqual(['app.yaml', 'etc/large'])
})
