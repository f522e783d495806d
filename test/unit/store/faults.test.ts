/** What the system or LevelDB says, and the code and advice that people read instead. */
import { expect, test } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { storeError } from '../../../src/store/faults.ts'

const error = (code: string, message = 'something', cause?: Error): Error =>
  Object.assign(new Error(message, { cause }), { code })

const lockError = (text: string): Error =>
  error('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open', error('LEVEL_LOCKED', text))
/** As LevelDB says what the system answered. */
const lock = (text: string, path = '/var/lib/confmesh/store/LOCK'): Error =>
  lockError(`IO error: lock ${path}: ${text}`)

test.each<[string, unknown, string]>([
  ['a full disk', error('ENOSPC'), 'STORE_FULL'],
  ['a spent quota', error('Unknown system error -122'), 'STORE_FULL'],
  ['a read-only disk', error('EROFS'), 'STORE_FULL'],
  ['a file that may not grow', error('EFBIG'), 'STORE_FULL'],
  [
    'a full disk as LevelDB says it',
    error('LEVEL_IO_ERROR', 'IO error: 5.log: No space left on device'),
    'STORE_FULL',
  ],
  ['a full disk below an error without a code', new Error('x', { cause: error('ENOSPC') }), 'STORE_FULL'],
  ['a lock of another process', lock('Resource temporarily unavailable'), 'STORE_LOCKED'],
  ['one as another system says it', lock('Permission denied'), 'STORE_LOCKED'],
  ['a lock of this process', lock('already held by process'), 'STORE_LOCKED'],
  ['a lock on Windows', lockError('IO error: LockFile C:\\a/LOCK: in use'), 'STORE_LOCKED'],
  ['a network disk without locks', lock('No locks available'), 'STORE_FAILED'],
  ['a file system without locks', lock('Function not implemented'), 'STORE_FAILED'],
  ['a folder of that name', lock('No locks available', '/a: Permission denied/LOCK'), 'STORE_FAILED'],
  ['damage', error('LEVEL_DATABASE_NOT_OPEN', 'x', error('LEVEL_CORRUPTION')), 'STORE_CORRUPT'],
  [
    'a table that was cut short',
    error('LEVEL_IO_ERROR', 'IO error: /a/5.ldb: Invalid argument'),
    'STORE_CORRUPT',
  ],
  [
    'another file that cannot be mapped',
    error('LEVEL_IO_ERROR', 'IO error: /a/LOG: Invalid argument'),
    'STORE_FAILED',
  ],
  ['no such folder', error('ENOENT'), 'STORE_MISSING'],
  ['no such store as LevelDB says it', error('LEVEL_IO_ERROR', '/a: does not exist'), 'STORE_MISSING'],
  ['anything else', error('EIO', 'input/output error'), 'STORE_FAILED'],
])('%s', (_, thrown, code) => {
  const said = storeError(thrown, '/var/lib/confmesh/store')
  expect(said).toMatchObject({ code, cause: thrown })
  expect(said.message).toContain('/var/lib/confmesh/store')
})

test('what is no known trouble is said in the words of whoever met it first', () => {
  const hidden = error('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open', error('EIO', 'i/o error'))
  expect(storeError(hidden, '/data').message).toMatch(/^\/data: i\/o error;/)
  expect(storeError(lock('No locks available'), '/data').message).toMatch(
    /^\/data: IO error: lock .*: No locks available;/,
  )
  expect(storeError('torn cable', '/data').message).toMatch(/^\/data: torn cable;/)
})

test('an error of ours stays as it is', () => {
  const ours = new MeshError('STORE_GONE', '/data was removed')
  expect(storeError(ours, '/elsewhere')).toBe(ours)
})
