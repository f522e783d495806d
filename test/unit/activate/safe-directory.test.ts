/** Folders as a kubelet makes them: an `emptyDir` has mode 0777, with an `fsGroup` 2777, a claim with one 2775. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { checkDirectory } from '../../../src/activate/safe-directory.ts'

const isRoot = process.geteuid?.() === 0

let shared: string
let files: string
beforeEach(() => {
  shared = realpathSync(mkdtempSync(join(tmpdir(), 'confmesh-safe-')))
  files = join(shared, 'files')
  mkdirSync(files, { mode: 0o755 })
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(shared, { recursive: true })
})

const refused = (path: string, reason: string) => ({
  code: 'ACTIVATE_UNSAFE_DIR',
  message: `${path}: ${reason}; materialize.dir must be ours alone to change`,
})

test.each([0o777, 0o2777])('everyone may write in it: refused, and what is below, mode %o', async (mode) => {
  chmodSync(shared, mode)
  for (const path of [shared, files])
    await expect(checkDirectory(path)).rejects.toMatchObject(refused(shared, 'may be written by everyone'))
})

test.runIf(isRoot)('below a sticky one of root’s it may be, not that one itself', async () => {
  chmodSync(shared, 0o1777)
  chownSync(files, 10_001, 10_001)
  vi.spyOn(process, 'geteuid').mockReturnValue(10_001)
  await checkDirectory(files)
  await expect(checkDirectory(shared)).rejects.toMatchObject(refused(shared, 'may be written by everyone'))
})

test.runIf(isRoot)('a group of the node’s own may write in it, no other', async () => {
  chownSync(shared, 0, 10_001)
  chmodSync(shared, 0o2775)
  vi.spyOn(process, 'geteuid').mockReturnValue(10_001)
  const group = vi.spyOn(process, 'getegid').mockReturnValue(10_001)
  for (const path of [shared, files]) await checkDirectory(path)
  group.mockReturnValue(10_002)
  for (const path of [shared, files])
    await expect(checkDirectory(path)).rejects.toMatchObject(refused(shared, 'may be written by group 10001'))
})
