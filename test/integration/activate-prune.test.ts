/** A node that is killed while an old tree is removed: half a tree is nobody's, and no change by somebody else. */
import { chmod, lstat, readdir, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, unlink: vi.fn(real.unlink) }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

const releases = [1, 2, 3, 4].map((counter) =>
  makeRelease(counter, [
    { path: 'app.yaml', content: `${counter}` },
    { path: 'etc/same', content: '' },
  ]),
) as [TestRelease, TestRelease, TestRelease, TestRelease]
const [first, second, third, fourth] = releases
let bench: ActivateBench
afterEach(async () => {
  vi.mocked(unlink).mockReset().mockImplementation(real.unlink)
  await bench.cleanUp()
})
const unfinished = async (): Promise<readonly string[]> =>
  (await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))

const half = async (tree: string): Promise<string> =>
  (await readdir(bench.path('.releases'))).find((name) => name.includes(tree)) ?? ''

/** A file of the tree is gone, and nothing more happens in this life. */
function killedAt(tree: string): Promise<void> {
  const killed = Promise.withResolvers<void>()
  vi.mocked(unlink).mockImplementation(async (path) => {
    await real.unlink(path)
    if (!String(path).includes(tree)) return
    killed.resolve()
    await new Promise(() => {})
  })
  return killed.promise
}

test('its release is built anew when it comes again, and nothing is left of it', async () => {
  bench = await ActivateBench.start(releases)
  for (const release of [first, second, third]) await bench.activate(release)
  const killed = killedAt(first.id)
  void bench.activate(fourth, third)
  await killed
  vi.mocked(unlink).mockImplementation(real.unlink)
  bench.restarted()
  expect(await readdir(bench.path('.releases', await half(first.id)))).toEqual(['etc'])
  expect(await bench.activate(first, fourth)).toMatchObject({ kind: 'healthy' })
  expect(await bench.visible()).toEqual({ 'app.yaml': '1', 'etc/same': '' })
  expect(bench.codes()).toEqual([])
  expect(await bench.tree()).toBe(first.id)
  expect(await unfinished()).toEqual([])
})

test('a tree that somebody made read-only is removed as well', async () => {
  bench = await ActivateBench.start(releases)
  for (const release of [first, second, third]) await bench.activate(release)
  await chmod(bench.path('.releases', first.id), 0o555)
  // As the system has it for any user but root.
  vi.mocked(unlink).mockImplementation(async (path) => {
    const isShut = ((await lstat(dirname(String(path)))).mode & 0o200) === 0
    if (isShut) throw Object.assign(new Error('permission denied'), { code: 'EACCES' })
    return real.unlink(path)
  })
  expect(await bench.activate(fourth, third)).toMatchObject({ kind: 'healthy' })
  await expect.poll(() => half(first.id)).toBe('')
  expect(bench.codes()).toEqual([])
})
