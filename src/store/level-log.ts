/** LevelDB's log: the form of its write-ahead log and of its MANIFEST. Source: doc/log_format.md of LevelDB. */
import { maskedCrc32c } from './crc32c.ts'

const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512
/** Of the last part of a record, or of one that is in one part. */
const LAST = new Set([1, 4])

export interface Part {
  /** The record ends with this part. */
  readonly isLast: boolean
  readonly data: Buffer
}

/**
 * Records lie in blocks of 32 KiB: checksum (4), length (2), type (1), data; a block's rest below 7 bytes is empty.
 * A kill in the middle of a write leaves a torn end: nothing that was promised to be durable, so it gives no part.
 *
 * @param zeroEnd what a record is that reaches into the zeros at the end of the file
 * @throws Error where it is damaged
 */
export function* partsOf(file: Buffer, zeroEnd: 'torn' | 'damaged' = 'damaged'): Generator<Part> {
  for (let at = 0; at < file.length; ) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES)
    if (left < HEADER_BYTES) {
      at += left
      continue
    }
    if (at + HEADER_BYTES > file.length) return
    const length = file.readUInt16LE(at + 4)
    const type = file[at + 6] ?? 0
    const end = at + HEADER_BYTES + length
    const isZero = file.readUInt32LE(at) === 0 && length === 0 && type === 0
    if (isZero && file.subarray(at).every((byte) => byte === 0)) return
    if (isZero || length > left - HEADER_BYTES) throw damagedAt(at)
    if (end > file.length) return
    if (file.readUInt32LE(at) !== maskedCrc32c(file.subarray(at + 6, end))) {
      if (zeroEnd === 'torn' && firstZeroSector(file) < end) return
      throw damagedAt(at)
    }
    yield { isLast: LAST.has(type), data: file.subarray(at + HEADER_BYTES, end) }
    at = end
  }
}

/** From where to its end the file is all zeros, sectors as a whole: a power cut leaves those that were not written yet. */
function firstZeroSector(file: Buffer): number {
  let used = file.length
  while (used > 0 && file[used - 1] === 0) used -= 1
  return Math.ceil(used / SECTOR_BYTES) * SECTOR_BYTES
}

export const damagedAt = (at: number): Error => new Error(`the checksum at byte ${at} does not hold`)
