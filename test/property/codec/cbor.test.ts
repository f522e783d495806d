import { decode as decodeLoosely, encode as encodeLoosely } from '@ipld/dag-cbor'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeStrict, encode } from '../../../src/codec/cbor.ts'
import { equalBytes } from '../../../src/codec/digest.ts'
import { isMeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import { value } from './arbitraries.ts'

const decode = (bytes: Uint8Array) => decodeStrict(bytes, { maxBytes: 1_000_000, limits: LIMITS })

/** The value, or undefined where it was refused with one of our codes. Anything else fails the test. */
function attempt(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: decode(bytes) }
  } catch (error) {
    if (isMeshError(error) && error.code === 'CODEC_MALFORMED') return undefined
    throw error
  }
}

test('every value comes back as it was', () => {
  fc.assert(
    fc.property(value, (given) => {
      const encoded = encode(given)
      expect(encode(decode(encoded))).toEqual(encoded)
      expect(decode(encoded)).toEqual(decodeLoosely(encoded))
    }),
    { numRuns: 500 },
  )
})

test('any bytes are refused with a code, or are the one form of what they say', () => {
  const check = (bytes: Uint8Array) => {
    const read = attempt(bytes)
    if (read !== undefined) expect(equalBytes(encode(read.value), bytes)).toBe(true)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), check), { numRuns: 5_000 })
})

/** Heads of all kinds and widths, honest and lying, so that random bytes reach deep into the grammar. */
const head = fc.oneof(
  fc.constantFrom(
    0x80,
    0x81,
    0x82,
    0xa0,
    0xa1,
    0xa2,
    0x60,
    0x61,
    0x40,
    0x41,
    0xf4,
    0xf6,
    0xf7,
    0xff,
    0x9f,
    0xbf,
  ),
  fc.constantFrom(
    0x18,
    0x19,
    0x1a,
    0x1b,
    0x38,
    0x3b,
    0x58,
    0x5a,
    0x78,
    0x98,
    0x9a,
    0xb8,
    0xba,
    0xd8,
    0xf9,
    0xfb,
  ),
  fc.integer({ min: 0, max: 255 }),
)

test('what looks like CBOR is refused with a code, or is the one form of what it says', () => {
  fc.assert(
    fc.property(fc.array(head, { maxLength: 40 }), (bytes) => {
      const given = Uint8Array.from(bytes)
      const read = attempt(given)
      if (read !== undefined) expect(equalBytes(encode(read.value), given)).toBe(true)
    }),
    { numRuns: 20_000 },
  )
})

test('a changed, cut or lengthened value is refused, or is another value', () => {
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat({ max: 3 }) })
  fc.assert(
    fc.property(value, change, (given, { at, to, cut }) => {
      const bytes = encode(given)
      const changed = bytes.slice(0, bytes.length - (cut === 1 ? 1 : 0))
      if (changed.length > 0) changed[at % changed.length] = to
      const read = attempt(cut === 2 ? Uint8Array.from([...changed, to]) : changed)
      if (read !== undefined && !equalBytes(changed, bytes)) expect(read.value).not.toEqual(given)
    }),
    { numRuns: 2_000 },
  )
})

test('nothing that the strict decoder takes is refused by the loose one, and they agree', () => {
  fc.assert(
    fc.property(fc.array(head, { maxLength: 12 }), (bytes) => {
      const given = Uint8Array.from(bytes)
      const read = attempt(given)
      if (read !== undefined) expect(equalBytes(encodeLoosely(decodeLoosely(given)), given)).toBe(true)
    }),
    { numRuns: 5_000 },
  )
})

/** Bytes near what UTF-8 forbids: overlong, surrogates, beyond U+10FFFF, cut off; and byte order marks. */
const textBytes = fc.array(
  fc.oneof(
    fc.constantFrom(0x61, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
    fc.constantFrom(0xef, 0xbb, 0xbf),
    fc.integer({ min: 0, max: 255 }),
  ),
  { maxLength: 4 },
)
const texts = fc.oneof(
  textBytes,
  fc.constantFrom('', 'ü', 'é', 'zz', '\ufeff', 'a\ufeff', '😀').map((text) => [...Buffer.from(text)]),
)

test('a map of two keys and texts of any bytes is taken exactly where it encodes to these bytes again', () => {
  let taken = 0
  const check = (parts: readonly (readonly number[])[]) => {
    const given = Uint8Array.from([0xa2, ...parts.flatMap((part) => [0x60 + part.length, ...part])])
    let isSame = false
    try {
      isSame = equalBytes(encodeLoosely(decodeLoosely(given)), given)
    } catch {
      // a key that stands twice
    }
    if (isSame) taken++
    expect(attempt(given) !== undefined).toBe(isSame)
  }
  fc.assert(fc.property(fc.tuple(texts, texts, texts, texts), check), { numRuns: 20_000 })
  expect(taken).toBeGreaterThan(100)
})

test('any nesting beyond the limit is refused, however it is mixed', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 17, maxLength: 6_000, size: 'max' }), (maps) => {
      // [ or {"a": in any mixture.
      const bytes = maps.flatMap((map) => (map ? [0xa1, 0x61, 0x61] : [0x81]))
      expect(attempt(Uint8Array.from([...bytes, 0x00]))).toBeUndefined()
    }),
    { numRuns: 100 },
  )
})
