/** Folders as a kubelet makes them: an `emptyDir` has mode 0777, with an `fsGroup` 2777, a claim with one 2775. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { checkDirectory, makeReadable, openDirectory, ownPath } from '../../../src/activate/safe-directory.ts'

const isRoot = process.geteuid?.() === 0

let shared: string
let files: string
beforeEach(() => {
  shared = realpathSync(mkdtempSync(join(tmpdir(), 'confmesh-safe-')))
  files = join(shared, 'files')
  mkdirSync(files, { mode: 0o755 })
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(shared, { recursive: true })
})

const refused = (path: string, reason: string) => ({
  code: 'ACTIVATE_UNSAFE_DIR',
  message: `${path}: ${reason}; materialize.dir must be ours alone to change`,
})

test.each([0o777, 0o2777])('everyone may write in it: refused, and what is below, mode %o', async (mode) => {
  chmodSync(shared, mode)
  for (const path of [shared, files])
    await expect(checkDirectory(path)).rejects.toMatchObject(refused(shared, 'may be written by everyone'))
})

test.runIf(isRoot)('below a sticky one of root’s it may be, not that one itself', async () => {
  chmodSync(shared, 0o1777)
  chownSync(files, 10_001, 10_001)
  vi.spyOn(process, 'geteuid').mockReturnValue(10_001)
  await checkDirectory(files)
  await expect(checkDirectory(shared)).rejects.toMatchObject(refused(shared, 'may be written by everyone'))
})

test.runIf(isRoot)('a group of the node’s own may write in it, no other', async () => {
  chownSync(shared, 0, 10_001)
  chmodSync(shared, 0o2775)
  vi.spyOn(process, 'geteuid').mockReturnValue(10_001)
  const group = vi.spyOn(process, 'getegid').mockReturnValue(10_001)
  for (const path of [shared, files]) await checkDirectory(path)
  group.mockReturnValue(10_002)
  for (const path of [shared, files])
    await expect(checkDirectory(path)).rejects.toMatchObject(refused(shared, 'may be written by group 10001'))
})

test('nothing is made where everyone may put something else in its place', async () => {
  chmodSync(shared, 0o777)
  const reason = refused(shared, 'may be written by everyone')
  for (const make of [makeReadable, openDirectory])
    await expect(make(join(shared, 'made', 'below'))).rejects.toMatchObject(reason)
  expect(readdirSync(shared)).toEqual(['files'])
})

test('what is missing is made below a folder of ours, whatever the umask', async () => {
  const before = process.umask(0o077)
  try {
    expect(await openDirectory(join(files, 'made', 'below'))).toBe(join(files, 'made', 'below'))
  } finally {
    process.umask(before)
  }
  for (const made of ['made', 'made/below']) expect(statSync(join(files, made)).mode & 0o777).toBe(0o755)
})

test('a link on the way is taken out of a folder of ours, not out of one in which everyone may write', async () => {
  symlinkSync('files', join(shared, 'direct'))
  symlinkSync(join(shared, 'direct'), join(shared, 'round'))
  expect(await openDirectory(join(shared, 'round'))).toBe(files)
  chmodSync(shared, 0o777)
  const outside = realpathSync(mkdtempSync(join(tmpdir(), 'confmesh-safe-')))
  try {
    mkdirSync(join(outside, 'files'), { mode: 0o755 })
    symlinkSync(join(outside, 'files'), join(shared, 'far'))
    // The folder that it leads to is safe, but not where it leads next.
    for (const path of [join(shared, 'far'), join(shared, 'far', 'below')])
      await expect(openDirectory(path)).rejects.toMatchObject(refused(shared, 'may be written by everyone'))
    symlinkSync(join(shared, 'far'), join(outside, 'through'))
    await expect(openDirectory(join(outside, 'through'))).rejects.toMatchObject({
      code: 'ACTIVATE_UNSAFE_DIR',
    })
  } finally {
    rmSync(outside, { recursive: true })
  }
})

test.runIf(isRoot)('a link of another user is refused, out of a sticky folder, too', async () => {
  chmodSync(shared, 0o1777)
  const link = join(shared, 'link')
  symlinkSync('files', link)
  expect(await openDirectory(link)).toBe(files)
  lchownSync(link, 10_001, 10_001)
  await expect(openDirectory(link)).rejects.toMatchObject(refused(link, 'is a link of user 10001'))
})

test('a link is followed as the kernel does, past what leads out of another one', async () => {
  mkdirSync(join(shared, 'releases', '7'), { recursive: true, mode: 0o755 })
  mkdirSync(join(shared, 'releases', 'files'), { mode: 0o755 })
  symlinkSync('releases/7', join(shared, 'now'))
  symlinkSync('now/../files', join(shared, 'conf'))
  expect(await openDirectory(join(shared, 'conf'))).toBe(join(shared, 'releases', 'files'))
  // Whoever may change that other one decides where it leads, though a folder of ours has the shorter name.
  const open = join(shared, 'open')
  mkdirSync(join(open, 'files'), { recursive: true, mode: 0o755 })
  symlinkSync('../releases/7', join(open, 'app'))
  symlinkSync('open/app/../files', join(shared, 'led'))
  chmodSync(open, 0o777)
  await expect(openDirectory(join(shared, 'led'))).rejects.toMatchObject(
    refused(open, 'may be written by everyone'),
  )
})

test('links that lead round in a circle have an end', async () => {
  symlinkSync('two', join(shared, 'one'))
  symlinkSync('one', join(shared, 'two'))
  await expect(ownPath(join(shared, 'one'))).rejects.toThrow('ELOOP')
})
