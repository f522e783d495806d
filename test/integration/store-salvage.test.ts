/** What is still sound in a store that was set aside, read in a process of its own. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { salvage } from '../../src/store/salvage.ts'

let base: string
let fresh: Database
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-salvage-'))
  fresh = levelDatabase(join(base, 'fresh'))
  await fresh.open()
})
afterEach(async () => {
  await fresh.close()
  await rm(base, { recursive: true, force: true })
})

test('a store that cannot be read leaves the new one as it is', async () => {
  expect(await salvage(join(base, 'nothing'), fresh, LIMITS)).toBe('its reader ended with 1')
  await fresh.batch([{ type: 'put', key: 'a', value: new Uint8Array([1]) }], true)
})

test('a table with keys out of order, by which LevelDB ends its process while it merges, ends no node', async () => {
  const old = join(base, 'old')
  // Three tables and a log of the same keys: at the next start there are four, enough for LevelDB to merge them.
  for (let life = 0; life < 4; life += 1) {
    const before = levelDatabase(old)
    await before.open()
    for (const key of ['key-1', 'key-2', 'key-3'])
      await before.batch([{ type: 'put', key, value: new Uint8Array([life]) }], true)
    await before.close()
  }
  const [name = ''] = (await readdir(old)).filter((each) => each.endsWith('.ldb'))
  const table = await readFile(join(old, name))
  // Keys share their first letters with the one before: of the third the table holds its last letter.
  const at = table.indexOf(Buffer.from([4, 9, 1]), table.indexOf('key-1') + 14)
  expect(String.fromCharCode(table[at + 3] ?? 0)).toMatch(/[23]/)
  table[at + 3] = 0x30
  await writeFile(join(old, name), table)
  // three records may be read before the merge comes to the damage
  const problem = () => salvage(old, fresh, LIMITS)
  await expect.poll(problem, { timeout: 20_000 }).toBe('its reader ended with SIGABRT')
})
