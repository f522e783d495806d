/** LevelDB's own files, read by their checksums: what a kill leaves is sound, what a disk changed is damage. */
import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { maskedCrc32c } from '../../src/store/crc32c.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { checkFiles } from '../../src/store/level-files.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-files-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const check = () => checkFiles(dir, Number.POSITIVE_INFINITY)
const fileOf = async (form: RegExp): Promise<string> => {
  const [name] = (await readdir(dir)).filter((one) => form.test(one))
  if (name === undefined) throw new Error(`no ${form} in ${dir}`)
  return join(dir, name)
}
const log = () => fileOf(/^\d+\.log$/)

/** A log as LevelDB writes it, one record for each value. */
const writeLog = (...sizes: readonly number[]): Promise<void> => writeLogOf('key', ...sizes)

async function writeLogOf(key: string, ...sizes: readonly number[]): Promise<void> {
  const database = levelDatabase(dir)
  await database.open()
  for (const size of sizes)
    await database.batch([{ type: 'put', key, value: new Uint8Array(size).fill(1) }], true)
  await database.close()
}

const flipped = (bytes: Buffer, at: number, mask: number): Buffer => {
  const changed = Buffer.from(bytes)
  changed[at] = (changed[at] ?? 0) ^ mask
  return changed
}

describe('a log', () => {
  test('that a kill cut at any byte is sound: nothing behind the cut was promised', async () => {
    await writeLog(40, 40)
    const path = await log()
    const bytes = await readFile(path)
    for (let length = 0; length <= bytes.length; length += 1) {
      await writeFile(path, bytes.subarray(0, length))
      expect(await check(), `${length} bytes`).toEqual([])
    }
  })

  test('with one changed byte in a record that others follow is damaged', async () => {
    await writeLog(40, 40)
    const path = await log()
    const bytes = await readFile(path)
    for (let at = 0; at < bytes.length / 2; at += 1) {
      // A longer record would reach beyond the end, as a torn one does.
      if (at === 4 || at === 5) continue
      await writeFile(path, flipped(bytes, at, 1))
      expect(await check(), `byte ${at}`).toEqual([
        { where: path, what: 'the checksum at byte 0 does not hold' },
      ])
    }
  })

  test('whose next record begins behind a rest of a block that holds no head is read on there', async () => {
    // 7 bytes of head, 12 of batch, kind and length and text of the key (1 + 1 + 3), length of the value (3).
    const value = 32_768 - 7 - 12 - 5 - 3 - 4
    await writeLog(value, 40)
    const path = await log()
    const bytes = await readFile(path)
    expect([...bytes.subarray(32_764, 32_768)]).toEqual([0, 0, 0, 0])
    expect(await check()).toEqual([])
    await writeFile(path, flipped(bytes, bytes.length - 1, 1))
    expect(await check()).toEqual([{ where: path, what: 'the checksum at byte 32768 does not hold' }])
  })

  test('may end in zeros, as a crashed file system leaves them; zeros before anything else are damage', async () => {
    await writeLog(40)
    const path = await log()
    const bytes = await readFile(path)
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(500)]))
    expect(await check()).toEqual([])
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(500), bytes]))
    expect(await check()).toEqual([
      { where: path, what: `the checksum at byte ${bytes.length} does not hold` },
    ])
  })

  test('that ends in zeros from a sector on is torn where its last record reaches into them, and damaged else', async () => {
    await writeLog(40, 3_000)
    const path = await log()
    const bytes = await readFile(path)
    const damagedAt = async (changed: Buffer): Promise<string | undefined> => {
      await writeFile(path, changed)
      return (await check())[0]?.what
    }
    const second = 7 + 12 + 5 + 1 + 40
    expect(await damagedAt(flipped(bytes, second, 1))).toBe(`the checksum at byte ${second} does not hold`)
    for (let sector = 512; sector < bytes.length; sector += 512) {
      const torn = Buffer.from(bytes).fill(0, sector)
      expect(await damagedAt(torn), `from ${sector} on`).toBeUndefined()
      expect(await damagedAt(Buffer.concat([torn, Buffer.alloc(4_096)]))).toBeUndefined()
      // what is whole before it, and was promised, counts as ever
      expect(await damagedAt(flipped(torn, 20, 1))).toBe('the checksum at byte 0 does not hold')
    }
    // no disk leaves that
    expect(await damagedAt(Buffer.from(bytes).fill(0, 3_073))).toBeDefined()
    expect(
      await damagedAt(Buffer.concat([flipped(bytes, second + 20, 1), Buffer.alloc(4_096)])),
    ).toBeDefined()
  })

  test('with a record longer than its block is damaged', async () => {
    await writeLog(40)
    const path = await log()
    const bytes = await readFile(path)
    bytes.writeUInt16LE(0xffff, 4)
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(40_000, 1)]))
    expect(await check()).toEqual([{ where: path, what: 'the checksum at byte 0 does not hold' }])
  })
})

describe('a table', () => {
  const table = () => fileOf(/\.ldb$/)

  test('with any bit of its end, where everything else is found from, changed is damaged', async () => {
    await writeLog(40, 40)
    await writeLog(40) // the next start turns the log into a table
    const path = await table()
    const bytes = await readFile(path)
    expect(await check()).toEqual([])
    for (let at = bytes.length - 48; at < bytes.length; at += 1)
      for (let bit = 0; bit < 8; bit += 1) {
        await writeFile(path, flipped(bytes, at, 1 << bit))
        expect(await check(), `bit ${bit} of byte ${at}`).toHaveLength(1)
      }
    await writeFile(path, bytes.subarray(0, 40))
    expect(await check()).toEqual([{ where: path, what: 'too short for a table' }])
  })

  test('whose end names a block of no bytes, where a checksum happens to hold, is damaged', async () => {
    await writeLog(40, 40)
    await writeLog(40)
    const path = await table()
    const bytes = await readFile(path)
    // its index: nothing at byte 0, compressed in no way
    bytes.writeUInt32LE(maskedCrc32c(Buffer.from([bytes[0] ?? 0])), 1)
    // the metaindex's place is said in two numbers before the index's: the second one's last byte is below 128
    const ends = [...bytes.keys()].filter((at) => at >= bytes.length - 48 && (bytes[at] ?? 0) < 128)
    bytes.fill(0, (ends[1] ?? 0) + 1, bytes.length - 8)
    await writeFile(path, bytes)
    expect(await check()).toEqual([{ where: path, what: 'the block at byte 0 is too short for one' }])
  })
})

describe('a table that no MANIFEST names', () => {
  /** Number 999999: LevelDB had begun it when it was killed. */
  const begun = () => join(dir, '999999.ldb')
  const tables = async () => (await readdir(dir)).filter((name) => name.endsWith('.ldb'))

  test('is sound wherever a kill cut it, and the next start removes it', async () => {
    await writeLog(40, 40)
    await writeLog(40)
    const bytes = await readFile(await fileOf(/\.ldb$/))
    for (let length = 0; length <= bytes.length; length += 1) {
      await writeFile(begun(), bytes.subarray(0, length))
      expect(await check(), `${length} bytes`).toEqual([])
    }
    await writeLog(40)
    expect(await readdir(dir)).not.toContain('999999.ldb')
  })

  test('is checked as any other where the MANIFEST cannot be read: it may be in use', async () => {
    await writeLog(40, 40)
    await writeFile(begun(), 'torn')
    const manifest = await fileOf(/^MANIFEST-/)
    const bytes = await readFile(manifest)
    await writeFile(manifest, flipped(bytes, 10, 1))
    expect(await check()).toEqual([
      { where: begun(), what: 'too short for a table' },
      { where: manifest, what: 'the checksum at byte 0 does not hold' },
    ])
    await writeFile(manifest, bytes)
    expect(await check()).toEqual([])
    await rm(join(dir, 'CURRENT'))
    expect(await check()).toEqual([
      { where: join(dir, 'CURRENT'), what: expect.stringContaining('gone') },
      { where: begun(), what: 'too short for a table' },
    ])
  })

  test('is told from those in use where the MANIFEST has edits longer than its blocks', async () => {
    // an edit names the first key of a table and its last
    for (let round = 0; round < 2; round += 1) await writeLogOf('k'.repeat(20_000), 40)
    expect((await readFile(await fileOf(/^MANIFEST-/))).length).toBeGreaterThan(32_768)
    await writeFile(begun(), 'torn')
    expect(await check()).toEqual([])
    const [inUse = ''] = (await tables()).filter((name) => !begun().endsWith(name))
    await writeFile(join(dir, inUse), 'torn')
    expect(await check()).toEqual([{ where: join(dir, inUse), what: 'too short for a table' }])
  })

  test('is checked as any other where the MANIFEST ends in zeros: LevelDB does not open it', async () => {
    for (let round = 0; round < 2; round += 1) await writeLogOf('k'.repeat(2_000), 40)
    const manifest = await fileOf(/^MANIFEST-/)
    const bytes = await readFile(manifest)
    await writeFile(manifest, Buffer.from(bytes).fill(0, 512))
    expect(await check()).toMatchObject([{ where: manifest }])
    await expect(levelDatabase(dir).open()).rejects.toThrow()
  })

  test('is checked as any other where an edit of the MANIFEST is of no kind that LevelDB writes', async () => {
    await writeLog(40)
    await writeFile(begun(), 'torn')
    expect(await check()).toEqual([])
    const [whole, kind, unknown] = [1, 99, 0]
    const record = Buffer.from([0, 0, 0, 0, 2, 0, whole, kind, unknown])
    record.writeUInt32LE(maskedCrc32c(record.subarray(6)), 0)
    await appendFile(await fileOf(/^MANIFEST-/), record)
    expect(await check()).toEqual([{ where: begun(), what: 'too short for a table' }])
  })

  test('is told from those in use after tables were merged and dropped', async () => {
    for (let round = 0; round < 3; round += 1) await writeLog(40_000, 40)
    const before = await tables()
    // what `level` is in Node, which its own types leave open
    const level = new Level(dir) as Level & { compactRange(start: string, end: string): Promise<void> }
    await level.open()
    await level.compactRange('a', 'z')
    await level.close()
    const after = await tables()
    const [dropped = ''] = before.filter((name) => !after.includes(name))
    await copyFile(join(dir, after[0] ?? ''), join(dir, dropped))
    expect(await check()).toEqual([])
    for (const name of [...after, dropped]) {
      const bytes = await readFile(join(dir, name))
      await writeFile(join(dir, name), flipped(bytes, 20, 1))
      expect(await check(), name).toHaveLength(name === dropped ? 0 : 1)
      await writeFile(join(dir, name), bytes)
    }
  })
})

test('what the system will not read is said as the system says it, and no file is called damaged by it', async () => {
  await mkdir(join(dir, '000099.log'))
  await expect(check()).rejects.toMatchObject({ code: 'EISDIR' })
})

test('more bytes than a start may read are left to the checksums of the records', async () => {
  await writeLog(40, 40)
  const path = await log()
  const bytes = await readFile(path)
  await writeFile(path, flipped(bytes, 20, 1))
  expect(await checkFiles(dir, 1_000_000)).toHaveLength(1)
  expect(await checkFiles(dir, bytes.length - 1)).toEqual([])
})

test('a disk with less room than is asked for is full, and the look at it leaves nothing behind', async () => {
  const database = levelDatabase(dir)
  await database.open()
  const before = await readdir(dir)
  await expect(database.probe(2 ** 52)).rejects.toMatchObject({ code: 'ENOSPC' })
  await database.probe(1_000)
  expect(await readdir(dir)).toEqual(before)
  await database.close()
})
