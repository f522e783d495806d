import { expect, test } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { makeFolders } from '../../../src/daemon/folders.ts'

const NOWHERE = '/proc/confmesh'

// /proc makes no folder, and says of each that what it lies in is missing.
test.runIf(process.platform === 'linux').each([
  ['materialize.dir', { materialize: { dir: NOWHERE } }],
  ['floorDir', { floorDir: NOWHERE }],
])('%s where no folder can be made is told by its key', async (key, more) => {
  const config = { data: '/proc/unasked', ...more } as NodeConfig
  await expect(makeFolders(config)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `${key}: ${NOWHERE} is no folder and cannot become one: ENOENT; name a folder of the node's own`,
    details: { key },
  })
})
