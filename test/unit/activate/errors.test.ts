import { expect, test } from 'vitest'
import { failedOutcome } from '../../../src/activate/errors.ts'

test.each([
  ['EROFS', '/srv/config: on a read-only file system; remount it writable'],
  ['ENOSPC', '/srv/config: no room for the release (ENOSPC); free space'],
  ['EDQUOT', '/srv/config: no room for the release (EDQUOT); free space'],
])('a disk that takes nothing, with %s: what to do', (code, text) => {
  const error = Object.assign(new Error('as told'), { code })
  expect(failedOutcome(error, '/srv/config')).toEqual({ kind: 'failed', code: 'STORE_FULL', text })
})
