/** A folder on a file system that has no hard links, such as a stick with exFAT. */
import {
  copyFileSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { putInPlace, writeNew } from '../../../src/cli/files.ts'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, linkSync: vi.fn(), copyFileSync: vi.fn(real.copyFileSync) }
})

const failing = (code: string) => () => {
  throw Object.assign(new Error(`${code}: from the disk`), { code })
}

let dir: string
let path: string
beforeEach(() => {
  vi.mocked(linkSync).mockReset().mockImplementation(failing('EPERM'))
  dir = mkdtempSync(join(tmpdir(), 'confmesh-files-'))
  path = join(dir, 'ops.key')
})
afterEach(() => {
  vi.mocked(copyFileSync).mockClear()
  rmSync(dir, { recursive: true, force: true })
})

test.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])(
  '%s from link: written all the same',
  (code) => {
    vi.mocked(linkSync).mockImplementation(failing(code))
    writeNew(path, 'a key', 0o600)
    expect(readFileSync(path, 'utf8')).toBe('a key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['ops.key'])
  },
)

test('what somebody has stays', () => {
  writeFileSync(path, 'theirs')
  expect(() => writeNew(path, 'a key', 0o600)).toThrow(expect.objectContaining({ code: 'INPUT_EXISTS' }))
  expect(readFileSync(path, 'utf8')).toBe('theirs')
  expect(readdirSync(dir)).toEqual(['ops.key'])
})

test('what was written aside gets its name without a copy, unless somebody has it', () => {
  const aside = join(dir, 'aside')
  writeFileSync(aside, 'a release')
  writeFileSync(path, 'theirs')
  expect(() => putInPlace(aside, path)).toThrow(expect.objectContaining({ code: 'INPUT_EXISTS' }))
  expect(readFileSync(path, 'utf8')).toBe('theirs')
  rmSync(path)
  putInPlace(aside, path)
  expect(readFileSync(path, 'utf8')).toBe('a release')
  expect(readdirSync(dir)).toEqual(['ops.key'])
  expect(copyFileSync).not.toHaveBeenCalled()
})

test('nothing stays of what could not be written', () => {
  vi.mocked(copyFileSync).mockImplementationOnce((_from, to) => {
    writeFileSync(to, 'a')
    failing('ENOSPC')()
  })
  expect(() => writeNew(path, 'a key', 0o600)).toThrow(expect.objectContaining({ code: 'STORE_FULL' }))
  expect(readdirSync(dir)).toEqual([])
})

test('what is another trouble of link is told as it was', () => {
  vi.mocked(linkSync).mockImplementation(failing('EIO'))
  expect(() => writeNew(path, 'a key', 0o600)).toThrow(/EIO/)
  expect(readdirSync(dir)).toEqual([])
})
