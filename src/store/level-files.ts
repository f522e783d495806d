/**
 * LevelDB's files by its own checksums, which its reads here do not look at. Forms: doc/table_format.md and
 * doc/log_format.md of LevelDB.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { maskedCrc32c } from './crc32c.ts'
import { isAbsent } from './faults.ts'
import { damagedAt, partsOf } from './level-log.ts'
import { hasLostCurrent, tablesInUse } from './level-manifest.ts'
import { varintAt } from './level-number.ts'
import type { Problem } from './problem.ts'

const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
/** How many restarts it has: what every block ends with. */
const COUNT_BYTES = 4
const TABLE_MAGIC = 0xdb4775248b80fb57n

/**
 * A first problem of each damaged file; undamaged ones give none, nor do tables that nothing names (a kill leaves them
 * half written). Nothing is read where all are more than `maxBytes`; that `CURRENT` is lost is seen all the same.
 */
export async function checkFiles(dir: string, maxBytes: number): Promise<readonly Problem[]> {
  const names = await namesIn(dir)
  const problems = hasLostCurrent(names)
    ? [{ where: join(dir, 'CURRENT'), what: 'it is gone, and LevelDB would begin anew without what is here' }]
    : []
  let bytes = 0
  for (const name of names) bytes += (await stat(join(dir, name))).size
  if (bytes > maxBytes) return problems
  const inUse = await tablesInUse(dir)
  for (const name of names) {
    const check = checkOf(name, inUse)
    if (check === undefined) continue
    const what = await problemOf(join(dir, name), check)
    if (what !== undefined) problems.push({ where: join(dir, name), what })
  }
  return problems
}

/** Those of LevelDB's files, or none where there is no folder. */
async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await readdir(dir)).sort()
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

/** LevelDB would take what is here for no store, as people would who look for its `CURRENT`. */
export const isLost = async (dir: string): Promise<boolean> => hasLostCurrent(await namesIn(dir))

async function problemOf(path: string, check: (file: Buffer) => void): Promise<string | undefined> {
  try {
    check(await readFile(path))
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    // Else of the system, but for a disk that cannot read it: nothing is said of the file.
    if (code !== undefined && code !== 'EIO') throw error
    return message
  }
}

/** @returns what throws where a file is damaged; undefined where nothing can be said of it */
function checkOf(name: string, inUse: ReadonlySet<number> | undefined): ((file: Buffer) => void) | undefined {
  const table = /^(\d+)\.ldb$/.exec(name)
  if (table !== null) return inUse === undefined || inUse.has(Number(table[1])) ? checkTable : undefined
  if (/^\d+\.log$/.test(name)) return checkLog
  return /^MANIFEST-\d+$/.test(name) ? checkManifest : undefined
}

function checkLog(file: Buffer): void {
  for (const _ of partsOf(file, 'torn'));
}

/** LevelDB reads on behind a torn end of its log, and opens no MANIFEST that has one of zeros. */
function checkManifest(file: Buffer): void {
  for (const _ of partsOf(file));
}

interface Handle {
  readonly offset: number
  readonly size: number
}

/** Footer → index and metaindex → every block they name. */
function checkTable(file: Buffer): void {
  if (file.length < FOOTER_BYTES) throw new Error('too short for a table')
  const footer = file.subarray(file.length - FOOTER_BYTES)
  if (footer.readBigUInt64LE(FOOTER_BYTES - 8) !== TABLE_MAGIC)
    throw new Error('it does not end as a table does')
  const metaindex = handleAt(footer, 0)
  const index = handleAt(footer, metaindex.next)
  if (footer.subarray(index.next, FOOTER_BYTES - 8).some((byte) => byte !== 0))
    throw new Error('its end is damaged')
  const blocks = [...entriesOf(blockAt(file, metaindex)), ...entriesOf(blockAt(file, index))]
  for (const block of blocks) blockAt(file, block)
}

/** A block's bytes, its checksum checked (over data and the byte of its compression). */
function blockAt(file: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size + TRAILER_BYTES
  if (end > file.length - FOOTER_BYTES) throw new Error(`a block at byte ${offset} reaches beyond the end`)
  if (file.readUInt32LE(end - 4) !== maskedCrc32c(file.subarray(offset, end - 4))) throw damagedAt(offset)
  if (size < COUNT_BYTES) throw new Error(`the block at byte ${offset} is too short for one`)
  return file.subarray(offset, offset + size)
}

/** Entries of an index block: shared, unshared and value length as varints, then key and value: a block's handle. */
function entriesOf(block: Buffer): readonly Handle[] {
  const restarts = block.readUInt32LE(block.length - COUNT_BYTES)
  const end = block.length - COUNT_BYTES * (restarts + 1)
  const handles: Handle[] = []
  for (let at = 0; at < end; ) {
    const shared = varintAt(block, at)
    const unshared = varintAt(block, shared.next)
    const length = varintAt(block, unshared.next)
    const value = length.next + unshared.value
    handles.push(handleAt(block, value))
    at = value + length.value
  }
  return handles
}

function handleAt(bytes: Buffer, at: number): Handle & { readonly next: number } {
  const offset = varintAt(bytes, at)
  const size = varintAt(bytes, offset.next)
  return { offset: offset.value, size: size.value, next: size.next }
}
