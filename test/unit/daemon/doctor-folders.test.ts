import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkFolders } from '../../../src/daemon/doctor/store.ts'

let dir: string
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'confmesh-doctor-')))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('of an emptyDir, which the node’s user cannot close, is said where a pod has room for files', async () => {
  const shared = join(dir, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o2777)
  const config = { data: join(dir, 'data'), materialize: { dir: join(shared, 'files') } }
  expect(await checkFolders(config as unknown as NodeConfig)).toMatchObject([
    { check: 'data folder', ok: true },
    {
      check: 'materialize.dir',
      ok: false,
      text: expect.stringContaining(`${shared}: may be written by everyone`),
      advice:
        "name a folder that only the node's user and root may change, no link on the way; in a pod see docs/operations.md#in-kubernetes",
    },
  ])
})
