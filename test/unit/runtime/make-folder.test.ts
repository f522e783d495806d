/** Folders as `mkdir -p` makes them; what cannot be made is said with the file system's own code. */
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../../src/runtime/make-folder.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-folder-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('with those it lies in, each of the mode; the topmost that was made is told', async () => {
  expect(await makeFolder(join(dir, 'a/b/c'), 0o700)).toBe(join(dir, 'a'))
  for (const path of ['a', 'a/b', 'a/b/c']) expect((await stat(join(dir, path))).mode & 0o777).toBe(0o700)
  expect(await makeFolder(join(dir, 'a/b/c/d'), 0o700)).toBe(join(dir, 'a/b/c/d'))
  expect(await makeFolder(join(dir, 'a/b/c'), 0o700)).toBeUndefined()
})

test('two that make one folder at once both have it, also by a link or a relative path', async () => {
  await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(dir, 'a/b/c'), 0o700)))
  await symlink(join(dir, 'a'), join(dir, 'link'))
  await makeFolder(join(dir, 'link/b/d'), 0o700)
  await makeFolder(relative(process.cwd(), join(dir, 'a/e')), 0o700)
  for (const path of ['a/b/c', 'a/b/d', 'a/e']) expect((await stat(join(dir, path))).isDirectory()).toBe(true)
})

test('not over a file, below one, or through a link that leads nowhere', async () => {
  await writeFile(join(dir, 'file'), '')
  await symlink(join(dir, 'gone'), join(dir, 'link'))
  await expect(makeFolder(join(dir, 'file'), 0o700)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(dir, 'file/a/b'), 0o700)).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(makeFolder(join(dir, 'link'), 0o700)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(dir, 'link/a'), 0o700)).rejects.toMatchObject({ code: 'EEXIST' })
})
