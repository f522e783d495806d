/**
 * The reply that carries a block: nearly all bytes that ever travel. It has one form only (dag-cbor, canonical), so that
 * everything before the block's own bytes is known, and these need not be copied, neither to write it nor to read it.
 */
import type { Limits } from '../limits.ts'
import { encode } from './cbor.ts'
import { equalBytes } from './digest.ts'
import { blockMessageBytes } from './message-forms.ts'

const BYTE_STRING = 0x40
/** Of what says how long a byte string is. */
const HEAD_BYTES = [1, 2, 3, 5] as const

/** Everything before the byte string; empty, that one takes a single byte. */
const START = encode({ v: 1, type: 'block', bytes: new Uint8Array(0) }).subarray(0, -1)

/** What says how long a byte string is: the shortest there is. */
function lengthHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(BYTE_STRING | length)
  if (length < 0x100) return Uint8Array.of(BYTE_STRING | 24, length)
  if (length < 0x10000) return Uint8Array.of(BYTE_STRING | 25, length >>> 8, length)
  return Uint8Array.of(BYTE_STRING | 26, length >>> 24, length >>> 16, length >>> 8, length)
}

/** In parts that follow one another. */
export const encodeBlockReply = (block: Uint8Array): readonly Uint8Array[] => {
  const length = lengthHead(block.byteLength)
  const head = new Uint8Array(START.byteLength + length.byteLength)
  head.set(START)
  head.set(length, START.byteLength)
  return [head, block]
}

/**
 * The block of a message of exactly this form and no longer than one may be; anything else is undefined, and for the
 * strict decoder to judge. A view where the block is most of the memory it lies in, else a copy: it may be kept.
 */
export function decodeBlockReply(bytes: Uint8Array, limits: Limits): Uint8Array | undefined {
  const begins = (at: number, start: Uint8Array) =>
    equalBytes(bytes.subarray(at, at + start.byteLength), start)
  if (bytes.byteLength > blockMessageBytes(limits) || !begins(0, START)) return undefined
  for (const headBytes of HEAD_BYTES) {
    const at = START.byteLength + headBytes
    const length = bytes.byteLength - at
    if (length < 1) continue
    const head = lengthHead(length)
    if (head.byteLength !== headBytes || !begins(START.byteLength, head)) continue
    const isMost = 2 * length >= bytes.buffer.byteLength
    return isMost
      ? new Uint8Array(bytes.buffer, bytes.byteOffset + at, length)
      : new Uint8Array(bytes.subarray(at))
  }
  return undefined
}
