/** Somebody who may rename a folder puts a link in its place between the moment it is made and the moment it is opened to all. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDirectories, makeReadable } from '../../../src/activate/safe-directory.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, mkdir: vi.fn(real.mkdir) }
})

let dir: string
let secret: string
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'confmesh-swapped-')))
  secret = join(dir, 'secret')
  mkdirSync(secret)
  chmodSync(secret, 0o700)
  vi.mocked(mkdir).mockImplementation(async (path) => {
    mkdirSync(String(path))
    renameSync(String(path), join(dir, 'aside'))
    symlinkSync(secret, String(path))
    return undefined
  })
})
afterEach(() => {
  vi.mocked(mkdir).mockReset()
  rmSync(dir, { recursive: true })
})

test.each<[string, () => Promise<unknown>]>([
  ['the folder itself', () => makeReadable(join(dir, 'files'))],
  ['that of a channel', () => makeDirectories(dir, 'app')],
])('what the link leads to stays closed: %s', async (_, make) => {
  await expect(make()).rejects.toThrow()
  expect(statSync(secret).mode & 0o777).toBe(0o700)
})
