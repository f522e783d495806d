/** A node that is killed while an old tree is removed: half a tree is nobody's, and no change by somebody else. */
import { chmod, lstat, mkdir, readdir, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
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

/** No UTF-8: as text it is the name of another file. */
const ODD = Buffer.from([0x66, 0xff])
const inFolder = (folder: string | Buffer, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(folder), Buffer.from('/'), name])

describe('a name in a tree that is not UTF-8', () => {
  /** As an application puts it there: a file by it, and a folder with one in it. */
  const odd = async (root: string): Promise<void> => {
    const folder = inFolder(root, Buffer.concat([ODD, ODD]))
    await mkdir(folder)
    for (const path of [inFolder(root, ODD), inFolder(folder, ODD)]) await writeFile(path, '')
  }

  test.each([
    ['open', 0o755],
    ['shut', 0o555],
  ])('is removed with the tree, whose folders are %s', async (_, mode) => {
    bench = await ActivateBench.start(releases)
    for (const release of [first, second, third]) await bench.activate(release)
    const root = bench.path('.releases', first.id)
    await odd(root)
    for (const folder of [root, inFolder(root, Buffer.concat([ODD, ODD]))]) await chmod(folder, mode)
    // As the system has it for any user but root.
    vi.mocked(unlink).mockImplementation(async (path) => {
      const folder = Buffer.from(path as Buffer).subarray(0, (path as Buffer).lastIndexOf('/'))
      const isShut = ((await lstat(folder)).mode & 0o200) === 0
      if (isShut) throw Object.assign(new Error('permission denied'), { code: 'EACCES' })
      return real.unlink(path)
    })
    expect(await bench.activate(fourth, third)).toMatchObject({ kind: 'healthy' })
    await expect.poll(() => half(first.id)).toBe('')
    expect(bench.codes()).toEqual([])
  })

  test('is drift, as any other', async () => {
    bench = await ActivateBench.start(releases)
    await bench.activate(first)
    await writeFile(inFolder(bench.path('.releases', first.id), ODD), '')
    bench.restarted()
    await bench.restore(first)
    expect(bench.codes()).toEqual(['ACTIVATE_DRIFT'])
  })

  test('is drift, too, where the release holds one that it reads as', async () => {
    const named = makeRelease(5, [{ path: ODD.toString(), content: '' }])
    bench = await ActivateBench.start([named])
    await bench.activate(named)
    bench.restarted()
    await bench.restore(named)
    expect(bench.codes()).toEqual([])
    await writeFile(inFolder(bench.path('.releases', named.id), ODD), '')
    bench.restarted()
    await bench.restore(named)
    expect(bench.codes()).toEqual(['ACTIVATE_DRIFT'])
  })
})

test('a tree that stands is told to stay, also where something below it is not there', async () => {
  bench = await ActivateBench.start(releases)
  for (const release of [first, second, third]) await bench.activate(release)
  vi.mocked(unlink).mockImplementation(async () => {
    throw Object.assign(new Error('no such file or directory'), { code: 'ENOENT' })
  })
  expect(await bench.activate(fourth, third)).toMatchObject({ kind: 'healthy' })
  await expect.poll(() => bench.codes()).toEqual(['ACTIVATE_LEFTOVER'])
  expect(bench.notes[0]?.text).toContain(await half(first.id))
})
