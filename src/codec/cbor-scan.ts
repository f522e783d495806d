/**
 * A walk over CBOR bytes without recursion and without allocating what they ask for. It runs before the real
 * decoder, which recurses: 5 KB of `[[[[…` would overflow its stack, and a count of 2³² would be believed.
 * Form: RFC 8949 §4.2 as narrowed by dag-cbor, and by us to integers, bytes, text, arrays, maps and booleans.
 */
import { isUtf8 } from 'node:buffer'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'

const malformed = (reason: string, at: number): MeshError =>
  new MeshError('CODEC_MALFORMED', `cbor: ${reason} at byte ${at}`)

/** The least value that needs 1, 2, 4 or 8 bytes after the head: anything smaller has a shorter form. */
const LEAST = [24, 0x100, 0x10000, 0x100000000] as const
/** Assigned to a plain object this key would change the object's prototype. */
const PROTO = new TextEncoder().encode('__proto__')

interface Cursor {
  readonly bytes: Uint8Array
  readonly view: DataView
  at: number
  /** Of byte strings so far. */
  stringBytes: number
}

/** Big-endian unsigned integer of 1, 2, 4 or 8 bytes. */
function unsigned(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at)
  if (width === 2) return view.getUint16(at)
  if (width === 4) return view.getUint32(at)
  return view.getUint32(at) * 0x100000000 + view.getUint32(at + 4)
}

/** The argument of an item's head; moves the cursor behind it. */
function argument(cursor: Cursor, info: number, start: number): number {
  if (info < 24) return info
  if (info > 27) throw malformed('indefinite or reserved length', start)
  const width = 1 << (info - 24)
  if (cursor.at + width > cursor.bytes.length) throw malformed('cut off', start)
  const value = unsigned(cursor.view, cursor.at, width)
  cursor.at += width
  if (value < (LEAST[info - 24] as number)) throw malformed('integer not in its shortest form', start)
  if (value > Number.MAX_SAFE_INTEGER) throw malformed('integer above 2^53-1', start)
  return value
}

function isProto(bytes: Uint8Array, at: number, length: number): boolean {
  return length === PROTO.length && PROTO.every((byte, index) => bytes[at + index] === byte)
}

/** Containers still open: how many items each still wants, whether it is a map, and where its last key lies. */
interface Open {
  readonly left: number[]
  readonly map: boolean[]
  readonly keyAt: number[]
  readonly keyLength: number[]
}

const NO_CONTAINER = -1
const ARRAY = 4
const MAP = 5

/** One item's head and, for strings, body. @returns how many items it opens, NO_CONTAINER where it is none. */
function item(cursor: Cursor, asKey: boolean): number {
  const start = cursor.at
  const head = cursor.bytes[cursor.at++]
  if (head === undefined) throw malformed('cut off', start)
  const major = head >> 5
  const info = head & 0x1f
  if (asKey && major !== 3) throw malformed('map key that is no text', start)
  if (major === 6) throw malformed('tag', start)
  if (major === 7) {
    // false, true and null; everything else is undefined, a float or a break.
    if (info < 20 || info > 22) throw malformed('float, undefined or simple value', start)
    return NO_CONTAINER
  }
  const value = argument(cursor, info, start)
  if (major < 2) {
    if (major === 1 && value === Number.MAX_SAFE_INTEGER) throw malformed('integer below -(2^53-1)', start)
    return NO_CONTAINER
  }
  const inside = major === MAP ? value * 2 : value
  // Every item is at least one byte long, so a count beyond the bytes left is a lie.
  if (inside > cursor.bytes.length - cursor.at) throw malformed('length beyond the end', start)
  if (major >= ARRAY) return inside
  if (asKey && isProto(cursor.bytes, cursor.at, value)) throw malformed('forbidden key', start)
  if (major === 3) checkText(cursor.bytes, cursor.at, cursor.at + value)
  if (major === 2) cursor.stringBytes += value
  cursor.at += value
  return NO_CONTAINER
}

/** The decoder would put U+FFFD for bytes that are no UTF-8, and leave out a byte order mark at the beginning. */
function checkText(bytes: Uint8Array, from: number, to: number): void {
  if (isAscii(bytes, from, to)) return
  if (!isUtf8(bytes.subarray(from, to))) throw malformed('text that is no UTF-8', from)
  if (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf)
    throw malformed('text that begins with a byte order mark', from)
}

function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((bytes[at] as number) > 0x7f) return false
  return true
}

/** dag-cbor's order: shorter keys first, those of one length by their bytes. False for equal keys, too. */
function follows(
  bytes: Uint8Array,
  at: number,
  length: number,
  before: number,
  beforeLength: number,
): boolean {
  if (length !== beforeLength) return length > beforeLength
  for (let n = 0; n < length; n++) {
    const order = (bytes[at + n] as number) - (bytes[before + n] as number)
    if (order !== 0) return order > 0
  }
  return false
}

/** Compares a key that ends at the cursor with the one before it in its map. */
function noteKey(cursor: Cursor, open: Open, depth: number, start: number): void {
  const headBytes =
    (cursor.bytes[start] as number) < 0x78 ? 1 : 1 + (1 << ((cursor.bytes[start] as number) - 0x78))
  const at = start + headBytes
  const length = cursor.at - at
  const before = open.keyAt[depth] as number
  if (before >= 0 && !follows(cursor.bytes, at, length, before, open.keyLength[depth] as number))
    throw malformed('a key that stands twice or out of order', start)
  open.keyAt[depth] = at
  open.keyLength[depth] = length
}

export interface ScanBounds {
  readonly limits: Pick<Limits, 'maxDepth' | 'maxItems'>
  /** Of all but the insides of byte strings: these are copied as they are, text and keys cost a hundred times as much. */
  readonly maxTextBytes: number
}

/**
 * Refuses what is not one definite, shallow, small item that fills the bytes, or not in the one form of what it says.
 *
 * @throws MeshError CODEC_MALFORMED; LIMIT_BYTES where it has more text than it may, which a newer build may allow
 */
export function scan(bytes: Uint8Array, { limits, maxTextBytes }: ScanBounds): void {
  const cursor: Cursor = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    at: 0,
    stringBytes: 0,
  }
  const open: Open = { left: [1], map: [false], keyAt: [-1], keyLength: [0] }
  let items = 0
  for (let depth = 0; depth >= 0; ) {
    const left = open.left[depth] as number
    if (left === 0) {
      depth--
      continue
    }
    open.left[depth] = left - 1
    if (++items > limits.maxItems) throw malformed(`more than ${limits.maxItems} items`, cursor.at)
    const start = cursor.at
    const asKey = open.map[depth] === true && left % 2 === 0
    const inside = item(cursor, asKey)
    if (cursor.at - cursor.stringBytes > maxTextBytes)
      throw new MeshError('LIMIT_BYTES', `more than ${maxTextBytes} bytes that are in no byte string`)
    if (asKey) noteKey(cursor, open, depth, start)
    if (inside < 0) continue
    if (++depth > limits.maxDepth) throw malformed(`nested deeper than ${limits.maxDepth}`, cursor.at)
    open.left[depth] = inside
    open.map[depth] = (bytes[start] as number) >> 5 === MAP
    open.keyAt[depth] = -1
  }
  if (cursor.at !== bytes.length) throw malformed('bytes after the end', cursor.at)
}
