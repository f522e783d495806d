/** LevelDB's files, as LevelDB itself wrote them, and with something changed whose checksums hold all the same. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../scripts/chaos/random.ts'
import { MeshError } from '../../src/errors.ts'
import { maskedCrc32c } from '../../src/store/crc32c.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { checkFiles } from '../../src/store/level-files.ts'
import { partsOf } from '../../src/store/level-log.ts'
import { tablesInUse } from '../../src/store/level-manifest.ts'
import { varintAt } from '../../src/store/level-number.ts'
import type { Change } from './change.ts'
import { scratch } from './scratch.ts'
import type { Target } from './targets.ts'

const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
const FOOTER_BYTES = 48

/** A log of more than one block, a MANIFEST with an edit, a table. */
async function written(): Promise<Readonly<Record<'log' | 'manifest' | 'table', Uint8Array>>> {
  const dir = scratch('level')
  // the second start turns the first one's log into a table
  for (const size of [400, BLOCK_BYTES]) {
    const database = levelDatabase(dir)
    await database.open()
    for (const key of ['a', 'b', 'c'])
      await database.batch([{ type: 'put', key, value: new Uint8Array(size).fill(size) }], true)
    await database.close()
  }
  const fileOf = (form: RegExp): Uint8Array => {
    const name = readdirSync(dir).find((one) => form.test(one))
    if (name === undefined) throw new Error(`LevelDB wrote no ${form}`)
    return new Uint8Array(readFileSync(join(dir, name)))
  }
  return { log: fileOf(/\.log$/), manifest: fileOf(/^MANIFEST/), table: fileOf(/\.ldb$/) }
}

const FILES = await written()

/** Whatever is found is said in these words: another is an error of the reader's, not of the file. */
const SAID =
  /^(the checksum at byte \d+ does not hold|too short for a table|it does not end as a table does|its end is damaged|a block at byte \d+ reaches beyond the end|a number in it is not one that LevelDB writes|the block at byte \d+ is too short for one)$/

async function check(name: string, bytes: Uint8Array): Promise<string> {
  const dir = scratch(name)
  writeFileSync(join(dir, name), bytes)
  // Or all that is said of the folder is that it has none.
  writeFileSync(join(dir, 'CURRENT'), 'MANIFEST-000001\n')
  for (const { what } of await checkFiles(dir, Number.POSITIVE_INFINITY)) {
    if (!SAID.test(what)) throw new Error(`a problem that nobody foresaw: ${what}`)
    throw new MeshError('STORE_CORRUPT', what)
  }
  return dir
}

async function manifest(bytes: Uint8Array): Promise<void> {
  const dir = await check('MANIFEST-000001', bytes)
  const tables = await tablesInUse(dir)
  if (tables === undefined) throw new MeshError('STORE_CORRUPT', 'an edit in it cannot be read')
  for (const number of tables)
    if (!Number.isSafeInteger(number)) throw new Error(`a table of number ${number}`)
}

/** Records as LevelDB lays them out. */
function logOf(records: readonly Buffer[]): Uint8Array {
  const out: Buffer[] = []
  let at = 0
  for (const record of records)
    for (let from = 0, isFirst = true; isFirst || from < record.length; isFirst = false) {
      const left = BLOCK_BYTES - (at % BLOCK_BYTES)
      if (left < HEADER_BYTES) out.push(Buffer.alloc(left))
      if (left < HEADER_BYTES) at += left
      const data = record.subarray(from, from + BLOCK_BYTES - (at % BLOCK_BYTES) - HEADER_BYTES)
      from += data.length
      const isLast = from >= record.length
      const head = Buffer.alloc(HEADER_BYTES)
      head.writeUInt8(isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3, 6)
      head.writeUInt16LE(data.length, 4)
      head.writeUInt32LE(maskedCrc32c(Buffer.concat([head.subarray(6), data])))
      out.push(head, data)
      at += HEADER_BYTES + data.length
    }
  return new Uint8Array(Buffer.concat(out))
}

function recordsOf(bytes: Uint8Array): Buffer[] {
  const records: Buffer[] = []
  let parts: Buffer[] = []
  for (const { isLast, data } of partsOf(Buffer.from(bytes))) {
    parts.push(data)
    if (!isLast) continue
    records.push(Buffer.concat(parts))
    parts = []
  }
  return records
}

/** Bytes of a record, or records, in another order or number. */
const changedLog: Change = (random, samples) => {
  const records = recordsOf(random.pick(samples))
  const at = Math.floor(random() * records.length)
  records[at] = nearBuffer(random, records[at] ?? Buffer.alloc(0))
  return logOf(random() < 0.2 ? records.toReversed() : records)
}

function nearBuffer(random: Random, bytes: Buffer): Buffer {
  const place = Math.floor(random() * (bytes.length + 1))
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
  return Buffer.concat(
    random.pick([
      [before, Buffer.from([random() * 256]), after.subarray(1)],
      [
        before,
        Buffer.from(
          random.pick([
            [7, 1, 9],
            [6, 0, 5],
            [255, 255, 255, 255, 255, 127],
            [128, 0],
          ]),
        ),
        after,
      ],
      [before, after.subarray(1)],
      [before],
      [before, Buffer.alloc(random.pick([1, 40_000])), after],
    ]),
  )
}

/** A block that the end of the table or its index names, or where the end says that one lies, checksums made good. */
const changedTable: Change = (random, samples) => {
  const file = Buffer.from(random.pick(samples))
  const footer = file.subarray(file.length - FOOTER_BYTES)
  const handles = handlesOf(footer, 2)
  const { offset, size } = random.pick(handles)
  if (random() < 0.3) return withIndexAt(random, file, handles[0]?.next ?? 0)
  const at = offset + Math.floor(random() * (size + 1))
  file[at] = random() < 0.5 ? random() * 256 : (file[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  return sealed(file, offset, size)
}

/** The index is looked for somewhere else, where a checksum happens to hold. */
function withIndexAt(random: Random, file: Buffer, place: number): Uint8Array {
  const [offset, size] = [Math.floor(random() * 60), Math.floor(random() * 6)]
  const start = file.length - FOOTER_BYTES + place
  file.fill(0, start, file.length - 8)
  file.set([offset, size], start)
  return sealed(file, offset, size)
}

function sealed(file: Buffer, offset: number, size: number): Uint8Array {
  const end = offset + size + 1
  file.writeUInt32LE(maskedCrc32c(file.subarray(offset, end)), end)
  return new Uint8Array(file)
}

function handlesOf(bytes: Buffer, count: number): { offset: number; size: number; next: number }[] {
  const handles = []
  for (let at = 0; handles.length < count; ) {
    const offset = varintAt(bytes, at)
    const size = varintAt(bytes, offset.next)
    at = size.next
    handles.push({ offset: offset.value, size: size.value, next: at })
  }
  return handles
}

export const LEVEL_TARGETS: readonly Target[] = [
  {
    name: 'LevelDB log',
    run: (bytes) => check('000003.log', bytes),
    samples: [FILES.log],
    change: changedLog,
  },
  { name: 'LevelDB MANIFEST', run: manifest, samples: [FILES.manifest], change: changedLog },
  {
    name: 'LevelDB table',
    run: (bytes) => check('000005.ldb', bytes),
    samples: [FILES.table],
    change: changedTable,
  },
]
