/** Forms of what JSON has no type for: times, digests and bytes as text. */
import type { Digest } from '../model/ids.ts'
import { parseDigest } from '../model/names.ts'
import { type Bound, bytes, type Form, malformed, parsed } from './fields.ts'
import { MAX_TIME_MS } from './ids.ts'

/** RFC 3339 in UTC; milliseconds only where there are some, so that each time has one form. */
export const formatTime = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

/** Milliseconds since 1970 ↔ `2027-01-01T00:00:00Z`. */
export const time: Form<number> = {
  read(value, at) {
    const ms = typeof value === 'string' && value.length <= 24 ? Date.parse(value) : Number.NaN
    if (!(ms >= 0 && ms <= MAX_TIME_MS) || formatTime(ms) !== value)
      throw malformed(at, 'expected a time such as "2027-01-01T00:00:00Z"')
    return ms
  },
  write: formatTime,
}

/** A digest as hex text. */
export const hex = <T extends Digest>(): Form<T> => parsed(parseDigest) as unknown as Form<T>

/** Bytes as base64 with padding (RFC 4648 §4); the one form of each. */
export function base64(max: Bound, min = 0): Form<Uint8Array> {
  const raw = bytes(max, min)
  return {
    read(value, at, limits) {
      if (typeof value !== 'string') throw malformed(at, 'expected base64')
      const decoded = Buffer.from(value, 'base64')
      if (decoded.toString('base64') !== value) throw malformed(at, 'not base64 with padding')
      return raw.read(new Uint8Array(decoded), at, limits)
    },
    write: (value) => Buffer.from(value).toString('base64'),
  }
}
