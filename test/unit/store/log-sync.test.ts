import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { syncLogs } from '../../../src/store/log-sync.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-log-sync-'))
  await writeFile(join(dir, '000003.log'), 'a record')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('a log that is gone by the time it is opened is in a table, and holds nothing up', async () => {
  await symlink(join(dir, 'gone'), join(dir, '000004.log'))
  await expect(syncLogs(dir)).resolves.toBeUndefined()
})

test('a log that cannot be opened is not on disk', async () => {
  await symlink('000005.log', join(dir, '000005.log'))
  await expect(syncLogs(dir)).rejects.toMatchObject({ code: 'ELOOP' })
})
