/** What the system or LevelDB says, and the code and advice that people read instead. */
import { expect, test } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { storeError } from '../../../src/store/faults.ts'

const error = (code: string, message = 'something', cause?: Error): Error =>
  Object.assign(new Error(message, { cause }), { code })

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
  ['a lock of another process', error('LEVEL_DATABASE_NOT_OPEN', 'x', error('LEVEL_LOCKED')), 'STORE_LOCKED'],
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
  expect(storeError('torn cable', '/data').message).toMatch(/^\/data: torn cable;/)
})

test('an error of ours stays as it is', () => {
  const ours = new MeshError('STORE_GONE', '/data was removed')
  expect(storeError(ours, '/elsewhere')).toBe(ours)
})
