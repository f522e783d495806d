/** Row 43: what lies outside the tree is as before, whatever is put in our way while it is built. */
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Gate } from '../../src/activate/gate.ts'
import type { ContentStore } from '../../src/activate/read-manifest.ts'
import { buildTree, differenceOf, type TreePlan } from '../../src/activate/tree.ts'
import { writeTreeFile } from '../../src/activate/write-file.ts'
import { sha256 } from '../../src/codec/digest.ts'

const bytes = new TextEncoder().encode('of the release\n')
const digest = sha256(bytes)
const entry = {
  path: 'etc/app.conf',
  mode: 0o444,
  size: bytes.length,
  digest,
  blocks: [{ digest, size: bytes.length }],
} as const
const ownership = { mode: undefined, gid: undefined }
const { signal } = new AbortController()
const storeWith = (readBlock: ContentStore['readBlock']): ContentStore => ({
  readBlock,
  readEnvelope: () => Promise.reject(new Error('nobody needs an envelope here')),
})
const store = storeWith(async () => bytes)

let dir: string
let outside: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-links-'))
  outside = join(dir, 'outside')
  await writeFile(outside, 'of somebody else', { mode: 0o600 })
})
afterEach(() => rm(dir, { recursive: true, force: true }))
const untouched = async (): Promise<void> => {
  expect(await readFile(outside, 'utf8')).toBe('of somebody else')
  expect((await stat(outside)).mode & 0o7777).toBe(0o600)
}

test.each([
  ['a link', symlink, 'EEXIST'],
  ['a second name', link, 'EEXIST'],
])('%s of a file outside in place of a new file: refused', async (_, put, code) => {
  const path = join(dir, 'app.conf')
  await put(outside, path)
  const writing = writeTreeFile(store, { entry, path, last: undefined, ownership }, signal)
  await expect(writing).rejects.toMatchObject({ code })
  await untouched()
})

test('a link to a file outside in place of a clone goes, and the file of the release takes its place', async () => {
  const [path, last] = [join(dir, 'app.conf'), join(dir, 'last.conf')]
  await writeFile(last, bytes)
  await symlink(outside, path)
  await writeTreeFile(store, { entry, path, last, ownership }, signal)
  expect(await readFile(path)).toEqual(Buffer.from(bytes))
  await untouched()
})

test('a link to a file outside in the last tree is not what comes over', async () => {
  const [path, last] = [join(dir, 'app.conf'), join(dir, 'last.conf')]
  await writeFile(outside, bytes, { mode: 0o600 })
  await symlink(outside, last)
  let fromStore = 0
  const counted = storeWith(async () => {
    fromStore += 1
    return bytes
  })
  await writeTreeFile(counted, { entry, path, last, ownership }, signal)
  expect(fromStore).toBe(1)
})

/** A first tree with the one file. */
const planIn = (releases: string): TreePlan => {
  const stop = new AbortController().signal
  return { releases, name: 'tree', last: undefined, changed: new Set(), files: [entry], ownership, stop }
}

const build = (from: ContentStore, plan: TreePlan): Promise<readonly string[]> =>
  new Gate(2).within((apart) => buildTree(from, plan, apart, signal))

test('a folder of a tree swapped for a link while it is built: refused, and the folder outside keeps its mode', async () => {
  const [releases, elsewhere] = [join(dir, '.releases'), join(dir, 'elsewhere')]
  await mkdir(releases)
  await mkdir(elsewhere, { mode: 0o700 })
  const swapping = storeWith(async () => {
    const [tree = ''] = await readdir(releases)
    await rename(join(releases, tree, 'etc'), join(dir, 'swapped'))
    await symlink(elsewhere, join(releases, tree, 'etc'))
    return bytes
  })
  await expect(build(swapping, planIn(releases))).rejects.toThrow(/ENOTDIR|ELOOP/)
  expect((await stat(elsewhere)).mode & 0o7777).toBe(0o700)
  expect(await readdir(elsewhere)).toEqual([])
  expect(await readdir(releases)).toEqual([])
})

test('a link to a file outside is no file of the tree, be its content and mode the same', async () => {
  const releases = join(dir, '.releases')
  await mkdir(releases)
  await build(store, planIn(releases))
  const difference = () =>
    new Gate(1).within((apart) => differenceOf(join(releases, 'tree'), [entry], ownership, signal, apart))
  expect(await difference()).toBeUndefined()
  await writeFile(outside, bytes)
  await chmod(outside, 0o444)
  await rm(join(releases, 'tree', entry.path))
  await symlink(outside, join(releases, 'tree', entry.path))
  expect(await difference()).toMatch(/ELOOP/)
})
