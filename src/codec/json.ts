/** Strict JSON, and RFC 8785 (JSON Canonicalization Scheme) for what is signed. Numbers are integers only. */
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { checkBytes } from './cbor.ts'
import { equalBytes } from './digest.ts'
import { countNames, scanJson } from './json-scan.ts'

const malformed = (what: string, reason: string): MeshError =>
  new MeshError('CODEC_MALFORMED', `${what}: ${reason}`)

/**
 * JSON with bounded depth and items and without duplicate keys; any white space.
 * @throws MeshError CODEC_MALFORMED
 */
export function parseJson(text: string, limits: Limits, what: string): unknown {
  const names = scanJson(text, limits)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new MeshError('CODEC_MALFORMED', `${what}: not JSON`, {}, { cause })
  }
  if (countNames(value) !== names) throw malformed(what, 'a key stands twice in one object')
  return value
}

/** RFC 8785 §3.2: no white space, keys sorted by UTF-16 code units, strings and numbers as ECMAScript writes them. */
function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw malformed('json', 'a number that is no integer within 2^53-1')
    return JSON.stringify(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw malformed('json', 'text that is not valid Unicode')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object') throw malformed('json', `a value of type ${typeof value}`)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([name, entry]) => `${canonical(name)}:${canonical(entry)}`).join(',')}}`
}

/** The one form of a value, as UTF-8. */
export const encodeCanonicalJson = (value: unknown): Uint8Array => new TextEncoder().encode(canonical(value))

/**
 * Bytes that are exactly the canonical form of what they say.
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED
 */
export function decodeCanonicalJson(
  bytes: Uint8Array,
  { maxBytes, limits, what }: { maxBytes: number; limits: Limits; what: string },
): unknown {
  checkBytes(bytes, maxBytes, what)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new MeshError('CODEC_MALFORMED', `${what}: not UTF-8`, {}, { cause })
  }
  const value = parseJson(text, limits, what)
  if (!equalBytes(encodeCanonicalJson(value), bytes))
    throw malformed(what, 'not in the canonical form of RFC 8785')
  return value
}
