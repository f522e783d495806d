import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes } from '../../../src/codec/digest.ts'
import { decodeCanonicalJson, encodeCanonicalJson } from '../../../src/codec/json.ts'
import { formatTime, time } from '../../../src/codec/json-fields.ts'
import { isMeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import { timeMs } from './arbitraries.ts'

const decode = (bytes: Uint8Array) =>
  decodeCanonicalJson(bytes, { maxBytes: 1_000_000, limits: LIMITS, what: 'test' })

function attempt(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: decode(bytes) }
  } catch (error) {
    if (isMeshError(error) && error.code === 'CODEC_MALFORMED') return undefined
    throw error
  }
}

const text = fc.string({ unit: 'binary', maxLength: 10 }).filter((given) => given.isWellFormed())
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(fc.maxSafeInteger(), text, fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value

test('every value comes back as it was, whatever the order of its keys', () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = encodeCanonicalJson(given)
      expect(decode(bytes)).toEqual(given)
      const reversed = JSON.parse(JSON.stringify(given), (_, inner) =>
        typeof inner === 'object' && inner !== null && !Array.isArray(inner)
          ? Object.fromEntries(Object.entries(inner).reverse())
          : inner,
      )
      expect(encodeCanonicalJson(reversed)).toEqual(bytes)
    }),
    { numRuns: 500 },
  )
})

test('JSON in any other form is refused', () => {
  fc.assert(
    fc.property(
      value,
      fc.nat(),
      fc.constantFrom(' ', '\n', '\t', ',', '"', '0', '{', ']'),
      (given, at, more) => {
        const written = new TextDecoder().decode(encodeCanonicalJson(given))
        const index = at % (written.length + 1)
        const changed = new TextEncoder().encode(written.slice(0, index) + more + written.slice(index))
        const read = attempt(changed)
        if (read !== undefined) expect(equalBytes(encodeCanonicalJson(read.value), changed)).toBe(true)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('any bytes are refused with a code', () => {
  const grammar = fc.array(
    fc.constantFrom(...'{}[],:"\\u0aeE+-.1 \n', 'true', 'null', '"a"', '"__proto__"'),
    {
      maxLength: 30,
    },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void attempt(bytes)),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(grammar, (parts) => {
      const bytes = new TextEncoder().encode(parts.join(''))
      const read = attempt(bytes)
      if (read !== undefined) expect(equalBytes(encodeCanonicalJson(read.value), bytes)).toBe(true)
    }),
    { numRuns: 10_000 },
  )
})

test('every time has one form, which is read back', () => {
  fc.assert(
    fc.property(timeMs, (ms) => {
      expect(time.read(formatTime(ms), 'time', LIMITS)).toBe(ms)
    }),
  )
})
