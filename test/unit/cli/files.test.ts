/** What a run that was killed left beside a file, whose process id comes again soon in a container. */
import { fstatSync, fsyncSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { replaceFile, writeNew } from '../../../src/cli/files.ts'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, fsyncSync: vi.fn(real.fsyncSync) }
})

let dir: string
let path: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-files-'))
  path = join(dir, 'release.json')
  writeFileSync(`${path}.${process.pid}.new`, 'half of a rel')
})
afterEach(() => {
  vi.mocked(fsyncSync).mockReset()
  rmSync(dir, { recursive: true, force: true })
})

test.each([
  ['a new file', writeNew],
  ['one in the place of another', replaceFile],
])('is not taken for the file: %s', (_, write) => {
  if (write === replaceFile) writeFileSync(path, 'with one signature')
  write(path, 'whole', 0o644)
  expect(readFileSync(path, 'utf8')).toBe('whole')
})

test.each([
  ['a new file', writeNew],
  ['one in the place of another', replaceFile],
])('what has its name is there, though its folder cannot be synced: %s', (_, write) => {
  vi.mocked(fsyncSync).mockImplementation((fd) => {
    if (fstatSync(fd).isDirectory()) throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' })
  })
  write(path, 'whole', 0o644)
  expect(readFileSync(path, 'utf8')).toBe('whole')
})

test('a name too long for one beside it: the file is named, not what was written aside', () => {
  const long = join(dir, 'x'.repeat(250))
  const refused = { code: 'INPUT_PATH', message: `cannot write ${long} as a file: ENAMETOOLONG` }
  expect(() => writeNew(long, 'text', 0o644)).toThrow(expect.objectContaining(refused))
})

test('a file that is there stays, and is named', () => {
  writeFileSync(path, 'theirs')
  expect(() => writeNew(path, 'ours', 0o644)).toThrow(expect.objectContaining({ code: 'INPUT_EXISTS' }))
  expect(readFileSync(path, 'utf8')).toBe('theirs')
})

test('a read-only file system is no matter of room: the path is not right', () => {
  vi.mocked(fsyncSync).mockImplementation(() => {
    throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
  })
  expect(() => writeNew(path, 'whole', 0o644)).toThrow(expect.objectContaining({ code: 'INPUT_PATH' }))
})
