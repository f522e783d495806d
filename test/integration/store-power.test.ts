/** The power goes: of what LevelDB wrote, only what was synced is left. What was promised is among it. */
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { levelDatabase } from '../../src/store/database.ts'
import { NO_KEY } from '../../src/store/keys.ts'
import { checkFiles } from '../../src/store/level-files.ts'

/** Each log the store synced by itself, with what was in it then. */
const synced = new Map<string, Buffer>()
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const file = await real.open(...args)
      const path = String(args[0])
      if (!path.endsWith('.log')) return file
      const sync = file.sync.bind(file)
      file.sync = async () => {
        const bytes = await real.readFile(path)
        await sync()
        synced.set(basename(path), bytes)
      }
      return file
    },
  }
})

let base: string
beforeEach(async () => {
  synced.clear()
  base = await mkdtemp(join(tmpdir(), 'confmesh-power-'))
})
afterEach(() => rm(base, { recursive: true, force: true }))

const isKept = (name: string): boolean => /^CURRENT$|^MANIFEST|\.log$|\.ldb$/.test(name)

/** What a power cut leaves of the store at this moment; LevelDB synced its newest log itself, and every table. */
async function cutPower(from: string, to: string): Promise<void> {
  const names = (await readdir(from)).filter(isKept).sort()
  try {
    await rm(to, { recursive: true, force: true })
    await mkdir(to)
    for (const name of names) await copyFile(join(from, name), join(to, name))
  } catch (error) {
    // a log that has become a table meanwhile
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return cutPower(from, to)
    throw error
  }
  const logs = names.filter((name) => name.endsWith('.log'))
  for (const name of logs.slice(0, -1)) {
    const length = synced.get(name)?.length ?? 0
    await truncate(join(to, name), Math.min(length, (await stat(join(to, name))).size))
  }
}

// LevelDB's buffer is 4 MiB: 16 blocks fill it, so that the log turns with the synced batch itself, or one or two before.
test.each([15, 16, 17, 18, 33])(
  'a synced record never outlives %i blocks written before it',
  async (count) => {
    const bytes = new Uint8Array(256 * 1024)
    const mark = Uint8Array.of(1)
    const database = levelDatabase(join(base, 'store'))
    await database.open()
    for (let number = 0; number < count; number++)
      await database.batch([{ type: 'put', key: `block/${number}`, value: bytes }], false)
    await database.batch([{ type: 'put', key: 'whole/a', value: mark }], true)
    await cutPower(join(base, 'store'), join(base, 'cut'))
    await database.close()

    const cut = levelDatabase(join(base, 'cut'))
    await cut.open()
    let blocks = 0
    for await (const _ of cut.entries('block/')) blocks++
    const whole = await cut.get('whole/a')
    await cut.close()
    expect({ whole, blocks }).toEqual({ whole: mark, blocks: count })
    // A cut between the two: what it closes is not on disk before them.
    expect(synced.size).toBeGreaterThan(0)
    for (const log of synced.values()) expect(log.includes('whole/a')).toBe(false)
  },
)

const MARK = Uint8Array.of(1)

test.each([3, 17])(
  'a record that counts on no block before it does not wait for %i of them',
  async (count) => {
    const database = levelDatabase(join(base, 'store'))
    await database.open()
    for (let number = 0; number < count; number++)
      await database.batch(
        [{ type: 'put', key: `block/${number}`, value: new Uint8Array(256 * 1024) }],
        false,
      )
    await database.batch([{ type: 'del', key: NO_KEY }], false)
    await database.settle(true)
    await database.batch([{ type: 'put', key: 'whole/a', value: MARK }], true, true)
    expect([...synced.keys()]).toEqual([])
    await cutPower(join(base, 'store'), join(base, 'cut'))
    // nor are they forgotten: what counts on them waits
    await database.batch([{ type: 'put', key: 'whole/b', value: MARK }], true)
    expect(synced.size).toBeGreaterThan(0)
    await database.close()

    // blocks that the power took are no damage
    expect(await checkFiles(join(base, 'cut'), Number.POSITIVE_INFINITY)).toEqual([])
    const cut = levelDatabase(join(base, 'cut'))
    await cut.open()
    expect(await cut.get('whole/a')).toEqual(MARK)
    await cut.close()
  },
)

test('what is taken away is on disk before what is written later, whatever that counts on', async () => {
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  await database.batch([{ type: 'put', key: 'whole/a', value: MARK }], true)
  await database.batch([{ type: 'del', key: 'whole/a' }], false)
  await database.batch([{ type: 'put', key: 'block/a', value: MARK }], false)
  await database.batch([{ type: 'put', key: 'whole/b', value: MARK }], true, true)
  await database.close()
  expect(synced.size).toBe(1)
  for (const log of synced.values()) expect(log.includes('whole/b')).toBe(false)
})

test('small synced batches behind one another sync no log a second time', async () => {
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  const value = Uint8Array.of(1)
  await database.batch([{ type: 'put', key: 'block/a', value }], false)
  for (const key of ['floor/a', 'floor/b', 'floor/c'])
    await database.batch([{ type: 'put', key, value }], true)
  await database.close()
  expect(synced.size).toBe(1)
  for (const log of synced.values()) expect(log.includes('floor/b')).toBe(false)
})

test('zeros where the power went before a record was written cost that record alone, and are no damage', async () => {
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  await database.batch([{ type: 'put', key: 'whole/a', value: Uint8Array.of(1) }], true)
  await database.batch([{ type: 'put', key: 'block/b', value: new Uint8Array(100_000).fill(1) }], false)
  for (const pages of [1, 3, 8, 20]) {
    const cut = join(base, `cut-${pages}`)
    await cutPower(join(base, 'store'), cut)
    const [log = ''] = (await readdir(cut)).filter((name) => name.endsWith('.log'))
    // its length is on disk already, the pages are not
    const { size } = await stat(join(cut, log))
    await truncate(join(cut, log), 4_096 * pages)
    await truncate(join(cut, log), size)
    expect(await checkFiles(cut, Number.POSITIVE_INFINITY), `${pages} pages`).toEqual([])
    const found = levelDatabase(cut)
    await found.open()
    const keys = await Promise.all(['whole/a', 'block/b'].map((key) => found.get(key)))
    await found.close()
    expect(keys, `${pages} pages`).toEqual([Uint8Array.of(1), undefined])
  }
  await database.close()
})
