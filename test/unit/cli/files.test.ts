/** What a run that was killed left beside a file, whose process id comes again soon in a container. */
import {
  chmodSync,
  existsSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeEmptyFolder, replaceFile, writeNew } from '../../../src/cli/files.ts'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return {
    ...real,
    fsyncSync: vi.fn(real.fsyncSync),
    statSync: vi.fn(real.statSync),
    fchownSync: vi.fn(),
  }
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
  vi.mocked(fchownSync).mockReset()
  vi.restoreAllMocks()
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

test('a new one whose folder could not be synced for a fault of the disk is not there', () => {
  vi.mocked(fsyncSync).mockImplementation((fd) => {
    if (fstatSync(fd).isDirectory()) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  expect(() => writeNew(path, 'whole', 0o644)).toThrow(/EIO/)
  expect(existsSync(path)).toBe(false)
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

describe('whoever may read a file, such as a node of another user', () => {
  const umask = process.umask()
  beforeEach(() => void process.umask(0o077))
  afterEach(() => void process.umask(umask))
  const modeOf = (file: string) => statSync(file).mode & 0o777

  test('may read a new one whatever the umask, and nobody a key', () => {
    writeNew(path, 'public', 0o644)
    writeNew(join(dir, 'a.key'), 'private', 0o600)
    expect(modeOf(path)).toBe(0o644)
    expect(modeOf(join(dir, 'a.key'))).toBe(0o600)
  })

  test.each([0o644, 0o664, 0o640, 0o600])('may read what replaces it: mode %i', (mode) => {
    writeFileSync(path, 'old')
    chmodSync(path, mode)
    replaceFile(path, 'new', 0o644)
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['new', mode])
  })

  test.each([
    ['root replaces, as its owner or of its group', 0, 1234, 0o640, 0o640],
    ['another replaces, of its group', 1000, -1, 0o640, 0o640],
    ['another replaces who may not give it away', 1000, undefined, 0o640, 0o644],
    ['another replaces who may not give it away, where the group writes', 1000, undefined, 0o660, 0o664],
    ['root replaces and may not give away', 0, undefined, 0o640, 0o644],
    ['nobody else might, and no more than that', 1000, undefined, 0o600, 0o600],
  ])('may read what %s', (_, euid, uid, mode, after) => {
    writeFileSync(path, 'old')
    chmodSync(path, mode)
    const old = Object.assign(statSync(path), { uid: 1234, gid: 2345 })
    vi.mocked(statSync).mockReturnValueOnce(old)
    vi.spyOn(process, 'geteuid').mockReturnValue(euid)
    vi.mocked(fchownSync).mockImplementationOnce(() => {
      if (uid === undefined) throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
    })
    replaceFile(path, 'new', 0o644)
    expect(fchownSync).toHaveBeenCalledExactlyOnceWith(expect.any(Number), euid === 0 ? 1234 : -1, 2345)
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['new', after])
  })

  test('finds a file where a link was: what that pointed to stays as it is', () => {
    const other = join(dir, 'other')
    writeFileSync(other, 'theirs', { mode: 0o600 })
    symlinkSync(other, path)
    replaceFile(path, 'new', 0o644)
    expect([readFileSync(path, 'utf8'), readFileSync(other, 'utf8')]).toEqual(['new', 'theirs'])
  })
})

test('nobody else may write into a folder that is made, whatever the umask', async () => {
  const before = process.umask(0)
  try {
    await makeEmptyFolder(join(dir, 'made', 'fleet'))
  } finally {
    process.umask(before)
  }
  for (const made of ['made', 'made/fleet']) expect(statSync(join(dir, made)).mode & 0o777).toBe(0o755)
})
