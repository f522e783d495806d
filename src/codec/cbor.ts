/** Strict dag-cbor: one value, one form. What is in any other is refused, by the walk that comes before the decoder. */
import * as dagCbor from '@ipld/dag-cbor'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { scan } from './cbor-scan.ts'

export interface Bounds {
  readonly maxBytes: number
  readonly limits: Limits
  /** Of all that is no byte string; unless told otherwise, as many as there may be. */
  readonly maxTextBytes?: number
  /** Named in the error: "header", "sync request". */
  readonly what?: string
}

/** Checked before anything is allocated or parsed. @throws MeshError LIMIT_BYTES */
export function checkBytes(bytes: { readonly length: number }, maxBytes: number, what: string): void {
  if (bytes.length > maxBytes)
    throw new MeshError('LIMIT_BYTES', `${what}: ${bytes.length} bytes, at most ${maxBytes} are taken`, {
      bytes: bytes.length,
      maxBytes,
    })
}

/**
 * @returns integers within ±(2^53−1), strings, booleans, null, Uint8Array (copies), arrays and plain
 *   objects whose own keys alone may be read.
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED
 */
export function decodeStrict(
  bytes: Uint8Array,
  { maxBytes, limits, maxTextBytes = maxBytes, what = 'message' }: Bounds,
): unknown {
  checkBytes(bytes, maxBytes, what)
  scan(bytes, { limits, maxTextBytes })
  try {
    // The decoder would give views into a Buffer, but copies of a Uint8Array.
    return dagCbor.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch (cause) {
    throw new MeshError('CODEC_MALFORMED', `${what}: not strict dag-cbor`, {}, { cause })
  }
}

/** The one form of a value; keys are sorted by length, then bytes. Undefined and non-finite numbers throw. */
export function encode(value: unknown): Uint8Array {
  const bytes = dagCbor.encode(value)
  // Small results are Buffers out of a shared pool: never handed on, or a few bytes would keep 64 KiB alive.
  return Buffer.isBuffer(bytes) ? new Uint8Array(bytes) : bytes
}
