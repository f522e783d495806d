/**
 * LevelDB's files by its own checksums, which its reads here do not look at. Forms: doc/table_format.md and
 * doc/log_format.md of LevelDB.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { maskedCrc32c } from './crc32c.ts'
import type { Problem } from './problem.ts'

const LOG_BLOCK_BYTES = 32_768
const LOG_HEADER_BYTES = 7
const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const TABLE_MAGIC = 0xdb4775248b80fb57n

/** A first problem of each damaged file; undamaged ones give none. Nothing is read where all are more than `maxBytes`. */
export async function checkFiles(dir: string, maxBytes: number): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  const names = (await readdir(dir).catch(() => [] as string[])).sort()
  let bytes = 0
  for (const name of names) bytes += (await stat(join(dir, name))).size
  if (bytes > maxBytes) return []
  for (const name of names) {
    const check = /^\d+\.ldb$/.test(name)
      ? checkTable
      : /^(\d+\.log|MANIFEST-\d+)$/.test(name)
        ? checkLog
        : undefined
    if (check === undefined) continue
    const what = check(await readFile(join(dir, name)))
    if (what !== undefined) problems.push({ where: join(dir, name), what })
  }
  return problems
}

/** Records lie in blocks of 32 KiB: checksum (4), length (2), type (1), data; a block's rest below 7 bytes is empty. */
function checkLog(file: Buffer): string | undefined {
  for (let at = 0; at < file.length; ) {
    const left = LOG_BLOCK_BYTES - (at % LOG_BLOCK_BYTES)
    if (left < LOG_HEADER_BYTES) {
      at += left
      continue
    }
    // A kill in the middle of a write leaves a torn end: nothing that was promised to be durable.
    if (at + LOG_HEADER_BYTES > file.length) return undefined
    const length = file.readUInt16LE(at + 4)
    const end = at + LOG_HEADER_BYTES + length
    const isZero = file.readUInt32LE(at) === 0 && length === 0 && file[at + 6] === 0
    if (isZero) return file.subarray(at).every((byte) => byte === 0) ? undefined : damagedAt(at)
    if (length > left - LOG_HEADER_BYTES) return damagedAt(at)
    if (end > file.length) return undefined
    if (file.readUInt32LE(at) !== maskedCrc32c(file.subarray(at + 6, end))) return damagedAt(at)
    at = end
  }
  return undefined
}

const damagedAt = (at: number): string => `the checksum at byte ${at} does not hold`

interface Handle {
  readonly offset: number
  readonly size: number
}

/** Footer → index and metaindex → every block they name. */
function checkTable(file: Buffer): string | undefined {
  if (file.length < FOOTER_BYTES) return 'too short for a table'
  const footer = file.subarray(file.length - FOOTER_BYTES)
  if (footer.readBigUInt64LE(FOOTER_BYTES - 8) !== TABLE_MAGIC) return 'it does not end as a table does'
  try {
    const metaindex = handleAt(footer, 0)
    const index = handleAt(footer, metaindex.next)
    if (footer.subarray(index.next, FOOTER_BYTES - 8).some((byte) => byte !== 0)) return 'its end is damaged'
    const blocks = [...entriesOf(blockAt(file, metaindex)), ...entriesOf(blockAt(file, index))]
    for (const block of blocks) blockAt(file, block)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** A block's bytes, its checksum checked (over data and the byte of its compression). */
function blockAt(file: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size + TRAILER_BYTES
  if (end > file.length - FOOTER_BYTES) throw new Error(`a block at byte ${offset} reaches beyond the end`)
  if (file.readUInt32LE(end - 4) !== maskedCrc32c(file.subarray(offset, end - 4)))
    throw new Error(damagedAt(offset))
  return file.subarray(offset, offset + size)
}

/** Entries of an index block: shared, unshared and value length as varints, then key and value: a block's handle. */
function entriesOf(block: Buffer): readonly Handle[] {
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 * (restarts + 1)
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

/** Little end first, seven bits a byte, none more than it needs: LevelDB would read a longer one, but never writes it. */
function varintAt(bytes: Buffer, start: number): { readonly value: number; readonly next: number } {
  let value = 0
  for (let at = start, factor = 1; at < bytes.length && at < start + 7; at++, factor *= 128) {
    const byte = bytes[at] ?? 0
    value += (byte & 127) * factor
    if (byte === 0 && at > start) break
    if (byte < 128) return { value, next: at + 1 }
  }
  throw new Error('a number in the index is not one that LevelDB writes')
}
