/**
 * What this build does not know of a document, as bytes while it is kept, which are about as many as it came in. Those of
 * dag-cbor are written here: its own encoder takes `{"/": 1, "bytes": 1}`, which may well come, for a link and throws.
 */
import { decode } from '@ipld/dag-cbor'
import type { Extra } from '../model/extra.ts'
import { encodeCanonicalJson } from './json.ts'

export interface Packing {
  pack(value: unknown): Extra
  unpack(bytes: Extra): unknown
}

const TEXT = 3
const utf8 = new TextEncoder()

/** Of an item: its major type, and its value or length in the shortest form. */
function putHead(out: number[], major: number, value: number): void {
  if (value < 24) return void out.push((major << 5) | value)
  const power = value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : value < 2 ** 32 ? 2 : 3
  out.push((major << 5) | (24 + power))
  for (let byte = 2 ** power - 1; byte >= 0; byte--) out.push(Math.floor(value / 2 ** (8 * byte)) % 256)
}

function putString(out: number[], major: number, bytes: Uint8Array): void {
  putHead(out, major, bytes.length)
  for (const byte of bytes) out.push(byte)
}

function put(out: number[], value: unknown): void {
  if (value === null) out.push(0xf6)
  else if (typeof value === 'boolean') out.push(value ? 0xf5 : 0xf4)
  else if (typeof value === 'number') value < 0 ? putHead(out, 1, -1 - value) : putHead(out, 0, value)
  else if (typeof value === 'string') putString(out, TEXT, utf8.encode(value))
  else if (value instanceof Uint8Array) putString(out, 2, value)
  else if (Array.isArray(value)) {
    putHead(out, 4, value.length)
    for (const entry of value) put(out, entry)
  } else {
    // In one order, so that equal maps have equal bytes.
    const entries = Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1))
    putHead(out, 5, entries.length)
    for (const [name, entry] of entries) {
      putString(out, TEXT, utf8.encode(name))
      put(out, entry)
    }
  }
}

/** Of values that `decodeStrict` gave. */
export const asCbor: Packing = {
  pack(value) {
    const out: number[] = []
    put(out, value)
    return new Uint8Array(out) as Extra
  },
  unpack: (bytes) => decode(bytes),
}

/** Of values that `decodeCanonicalJson` gave; dag-cbor's decoder would drop byte order marks of theirs. */
export const asJson: Packing = {
  pack: (value) => encodeCanonicalJson(value) as Extra,
  unpack: (bytes) => JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
}
