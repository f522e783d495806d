/** A host that is short of something says nothing of what somebody did to the files. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Gate } from '../../src/activate/gate.ts'
import { buildTree, differenceOf } from '../../src/activate/tree.ts'
import { writeTreeFile } from '../../src/activate/write-file.ts'
import { sha256 } from '../../src/codec/digest.ts'

const failing = vi.hoisted(() => ({ call: '', code: '', isOnce: false }))

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const failable = (call: 'readdir' | 'lstat' | 'open' | 'copyFile') =>
    (async (...given: never[]) => {
      if (failing.call !== call) return (real[call] as (...given: never[]) => unknown)(...given)
      if (failing.isOnce) failing.call = ''
      throw Object.assign(new Error(`${failing.code}: ${call}`), { code: failing.code })
    }) as never
  const [readdir, lstat] = [failable('readdir'), failable('lstat')]
  return { ...real, readdir, lstat, open: failable('open'), copyFile: failable('copyFile') }
})

const bytes = new TextEncoder().encode('of the release\n')
const digest = sha256(bytes)
const size = bytes.length
const files = [{ path: 'etc/app.conf', mode: 0o444, size, digest, blocks: [{ digest, size }] }] as const
const ownership = { mode: undefined, gid: undefined }
const { signal } = new AbortController()
const store = {
  readBlock: async () => bytes,
  readEnvelope: () => Promise.reject(new Error('nobody needs an envelope here')),
}

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-short-'))
})
afterEach(async () => {
  Object.assign(failing, { call: '', isOnce: false })
  await rm(dir, { recursive: true })
})

test.each(['readdir', 'lstat', 'open'])(
  '%s: where the host has no room for it the tree counts as unread, not as changed',
  async (call) => {
    const releases = join(dir, '.releases')
    await mkdir(releases)
    const of = { last: undefined, changed: new Set<string>(), files, ownership }
    const plan = { releases, name: 'tree', ...of, stop: signal }
    await new Gate(2).within((apart) => buildTree(store, plan, apart, signal))
    const difference = () =>
      new Gate(2).within((apart) => differenceOf(join(releases, 'tree'), files, ownership, signal, apart))
    expect(await difference()).toBeUndefined()
    failing.call = call
    for (failing.code of ['EMFILE', 'ENFILE', 'ENOMEM'])
      await expect(difference()).rejects.toThrow(failing.code)
    failing.code = 'EACCES'
    expect(await difference()).toMatch('EACCES')
  },
)

test.each(['lstat', 'copyFile', 'open'])(
  '%s: where the host has no room for it a file of the last tree counts as unread, not as changed',
  async (call) => {
    const [last, path] = [join(dir, 'last'), join(dir, 'next')]
    await writeFile(last, bytes)
    const write = () => {
      Object.assign(failing, { call, isOnce: true })
      return writeTreeFile(store, { entry: files[0], path, last, ownership }, signal)
    }
    for (failing.code of ['EMFILE', 'ENFILE', 'ENOMEM']) {
      await expect(write()).rejects.toThrow(failing.code)
      await rm(path, { force: true })
    }
    failing.code = 'EACCES'
    expect(await write()).toBe(false)
    expect(failing.call).toBe('')
  },
)
