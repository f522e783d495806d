/** What is still sound in a store that was set aside, read in a process of its own. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { LIMITS } from '../../src/limits.ts'
import { seal } from '../../src/store/checksum.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { blockKey, sizeKey } from '../../src/store/keys.ts'
import { varintAt } from '../../src/store/level-number.ts'
import { dropOldest } from '../../src/store/quarantine.ts'
import { prepareReplacement, takePlace } from '../../src/store/replacement.ts'
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

const closed = async () => {
  await fresh.close()
  return join(base, 'fresh')
}
/** The process that reads the damaged store for this one. */
const reader = (): number =>
  Number.parseInt(execFileSync('pgrep', ['-P', String(process.pid), '-f', 'salvage-reader']).toString(), 10)
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a store that cannot be read leaves the new one as it is', async () => {
  expect(await salvage(join(base, 'nothing'), fresh, LIMITS)).toBe('its reader ended with 1')
  await fresh.batch([{ type: 'put', key: 'a', value: new Uint8Array([1]) }], true)
})

test('a store that another process has open is in use: it is not read, and nothing takes its place', async () => {
  const dir = join(base, 'store')
  const owner = levelDatabase(dir)
  await owner.open()
  await owner.batch([{ type: 'put', key: 'a', value: new Uint8Array([1]) }], true)
  await expect(prepareReplacement(dir, levelDatabase, LIMITS)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  expect(await owner.get('a')).toEqual(new Uint8Array([1]))
  await owner.close()
})

test('a table with keys out of order, by which LevelDB ends its process while it merges, ends no node', async () => {
  const old = join(base, 'old')
  // Three tables and a log of the same keys: at the next start there are four, enough for LevelDB to merge them.
  for (let life = 0; life < 4; life += 1) {
    const before = levelDatabase(old)
    await before.open()
    for (const key of ['meta/1', 'meta/2', 'meta/3'])
      await before.batch([{ type: 'put', key, value: new Uint8Array([life]) }], true)
    await before.close()
  }
  const [name = ''] = (await readdir(old)).filter((each) => each.endsWith('.ldb'))
  const table = await readFile(join(old, name))
  // Keys share their first letters with the one before: of the third the table holds its last letter.
  const at = table.indexOf(Buffer.from([5, 9, 1]), table.indexOf('meta/1') + 15)
  expect(String.fromCharCode(table[at + 3] ?? 0)).toMatch(/[23]/)
  table[at + 3] = 0x30
  await writeFile(join(old, name), table)
  // three records may be read before the merge comes to the damage
  const problem = () => salvage(old, fresh, LIMITS)
  await expect.poll(problem, { timeout: 20_000 }).toBe('its reader ended with SIGABRT')
})

test('a table that LevelDB cannot read costs what is in it, and nothing else', async () => {
  const old = join(base, 'old')
  const [lost, ...kept] = [1, 2, 3, 4].map((at) => new Uint8Array(100).fill(at)) as [
    Uint8Array,
    ...Uint8Array[],
  ]
  const size = (bytes: Uint8Array): [string, Uint8Array] => {
    const key = sizeKey(sha256(bytes))
    return [key, seal(key, bytes)]
  }
  const block = (bytes: Uint8Array): [string, Uint8Array] => [blockKey(sha256(bytes), bytes[0]), bytes]
  const sound = [...kept.map(block), ...kept.map(size), size(lost)]
  for (const records of [[block(lost)], sound]) {
    const before = levelDatabase(old)
    await before.open()
    await before.batch(
      records.map(([key, value]) => ({ type: 'put', key, value })),
      true,
    )
    await before.close()
  }
  const [name = ''] = (await readdir(old)).filter((each) => each.endsWith('.ldb'))
  const table = await readFile(join(old, name))
  // LevelDB's table format: its end names its index, the one entry of which names its only run of records.
  const metaindex = varintAt(table, varintAt(table, table.length - 48).next)
  const index = varintAt(table, metaindex.next).value
  const keyLength = varintAt(table, index + 1)
  const run = varintAt(table, varintAt(table, keyLength.next).next + keyLength.value)
  const typeAt = run.value + varintAt(table, run.next).value
  expect(table[typeAt]).toBe(0)
  table[typeAt] = 9
  await writeFile(join(old, name), table)
  expect(await salvage(old, fresh, LIMITS)).toBe('its reader ended with 1')
  const found: string[] = []
  for await (const [key] of fresh.entries()) found.push(key)
  expect(found).toEqual(sound.map(([key]) => key).sort())
})

describe('a store of more than one answer', () => {
  const [old, limits] = [() => join(base, 'old'), { ...LIMITS, maxStoreBatchBytes: 2_000 }]
  /** Sound records of 1,000 bytes: five blocks, and five of another kind. */
  beforeEach(async () => {
    const before = levelDatabase(old())
    await before.open()
    for (let at = 0; at < 5; at += 1) {
      const bytes = new Uint8Array(1_000).fill(at)
      await before.batch([{ type: 'put', key: blockKey(sha256(bytes), at), value: bytes }], true)
      const size = sizeKey(sha256(bytes))
      await before.batch([{ type: 'put', key: size, value: seal(size, bytes) }], true)
    }
    await before.close()
  })
  const keys = async () => {
    const found: string[] = []
    for await (const [key] of fresh.entries()) found.push(key.slice(0, key.indexOf('/')))
    return found
  }

  test('of which all is copied in batches of bounded size, blocks last', async () => {
    const order: string[] = []
    const sizes: number[] = []
    const noting: Database = {
      ...fresh,
      batch: async (operations, sync) => {
        order.push(...operations.map(({ key }) => key.slice(0, key.indexOf('/'))))
        sizes.push(operations.reduce((sum, each) => sum + (each.type === 'put' ? each.value.length : 0), 0))
        return fresh.batch(operations, sync)
      },
    }
    expect(await salvage(old(), noting, limits)).toBeUndefined()
    expect(Math.max(...sizes)).toBeLessThan(2 * limits.maxStoreBatchBytes)
    expect(order).toEqual([...Array(5).fill('size'), ...Array(5).fill('block')])
  })

  test('whose reader ends between two of them is told of at once, and what came before is kept', async () => {
    let killed = false
    const killing: Database = {
      ...fresh,
      batch: async (operations, sync) => {
        await fresh.batch(operations, sync)
        if (killed) return
        killed = true
        const pid = reader()
        process.kill(pid, 'SIGKILL')
        await expect.poll(() => isAlive(pid)).toBe(false)
      },
    }
    const fromMs = performance.now()
    expect(await salvage(old(), killing, limits)).toBe('its reader ended with SIGKILL')
    expect(performance.now() - fromMs).toBeLessThan(LIMITS.salvageAnswerMs / 2)
    expect(await keys()).toContain('size')
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'whose reader hears %s of a terminal, as the node does, is read to its end',
    async (signal) => {
      const telling: Database = {
        ...fresh,
        batch: async (operations, sync) => {
          await fresh.batch(operations, sync)
          if (operations.some(({ key }) => key.startsWith('size/'))) process.kill(reader(), signal)
        },
      }
      expect(await salvage(old(), telling, limits)).toBeUndefined()
    },
  )

  test('for whose blocks the disk has no room keeps the rest, on disk before the old one goes', async () => {
    let settled: readonly string[] = []
    const full: Database = {
      ...fresh,
      settle: async () => {
        await fresh.settle()
        settled = await keys()
      },
      batch: (operations, sync) =>
        operations.some(({ key }) => key.startsWith('block/'))
          ? Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
          : fresh.batch(operations, sync),
    }
    expect(await salvage(old(), full, limits)).toBe('the disk has no room for all of its blocks')
    expect(await keys()).toEqual(Array(5).fill('size'))
    expect(settled).toEqual(await keys())
    const noSync = { ...full, settle: () => Promise.reject(new Error('fsync')) }
    await expect(salvage(old(), noSync, limits)).rejects.toThrow('fsync')
  })
})

test('a kill between the two renames: the next start takes the new one', async () => {
  const dir = join(base, 'store')
  await rename(await closed(), `${dir}.new`)
  await takePlace(dir)
  expect(await readdir(base)).toEqual(['store'])
  await mkdir(`${dir}.new`)
  await takePlace(dir)
  expect(await readdir(base)).toEqual(['store', 'store.new'])
})

test('a folder that a person has put beside the store is none of those set aside', async () => {
  const dir = join(base, 'store')
  for (const name of ['store.corrupt-007', 'store.corrupt-3', 'store.corrupt-x'])
    await mkdir(join(base, name))
  expect(await dropOldest(dir)).toBe(`${dir}.corrupt-3`)
  expect(await dropOldest(dir)).toBeUndefined()
})
