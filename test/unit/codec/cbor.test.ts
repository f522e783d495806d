import { describe, expect, test } from 'vitest'
import { decodeStrict, encode } from '../../../src/codec/cbor.ts'
import { hexToBytes } from '../../../src/codec/digest.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'
import { utf8 } from './samples.ts'

const decode = (bytes: Uint8Array, limits = LIMITS as typeof LIMITS | object): unknown =>
  decodeStrict(bytes, { maxBytes: 1_000_000, limits: { ...LIMITS, ...limits } })
const hex = (text: string): Uint8Array => hexToBytes(text.replaceAll(' ', ''))

describe('what is refused', () => {
  const malformed: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['bytes after the end', '01 01'],
    ['one byte missing of an integer', '19 01'],
    ['no argument after the head', '1a'],
    ['integer in 1 byte that fits the head', '18 17'],
    ['integer in 2 bytes that fits 1', '19 00ff'],
    ['integer in 4 bytes that fits 2', '1a 0000ffff'],
    ['integer in 8 bytes that fits 4', '1b 00000000ffffffff'],
    ['2^53', '1b 0020000000000000'],
    ['2^64-1', '1b ffffffffffffffff'],
    ['-2^53', '3b 001fffffffffffff'],
    ['reserved length 28', '1c'],
    ['reserved length 30', '1e'],
    ['indefinite bytes', '5f 41 00 ff'],
    ['indefinite text', '7f 61 61 ff'],
    ['indefinite array', '9f 01 ff'],
    ['indefinite map', 'bf 61 61 01 ff'],
    ['lone break', 'ff'],
    ['half float', 'f9 3c00'],
    ['single float', 'fa 3f800000'],
    ['double float 1.5', 'fb 3ff8000000000000'],
    ['double float 1.0', 'fb 3ff0000000000000'],
    ['NaN', 'fb 7ff8000000000000'],
    ['infinity', 'f9 7c00'],
    ['undefined', 'f7'],
    ['simple value 0', 'e0'],
    ['simple value 255', 'f8 ff'],
    ['tag 42 (a CID)', 'd8 2a 45 00 01 55 12 00'],
    ['tag 42 (a CID as dag-cbor has them)', `d8 2a 58 25 00 01 55 12 20 ${'ab'.repeat(32)}`],
    ['tag 0 (a date)', 'c0 61 61'],
    ['tag 2 (a big integer)', 'c2 49 010000000000000000'],
    ['text longer than the bytes', '62 61'],
    ['bytes longer than the bytes', '5a ffffffff 00'],
    ['array of 2^32 items', '9a ffffffff'],
    ['array of 2^53-1 items', '9b 001fffffffffffff'],
    ['map of 2^32 pairs', 'ba ffffffff'],
    ['map without its last value', 'a1 61 61'],
    ['map key that is an integer', 'a1 01 01'],
    ['map key that is bytes', 'a1 41 61 01'],
    ['map key that is an array', 'a1 80 01'],
    ['duplicate key', 'a2 61 61 01 61 61 02'],
    ['keys in falling order', 'a2 61 62 01 61 61 02'],
    ['longer key before a shorter one', 'a2 62 6161 01 61 62 02'],
    ['keys in falling order behind text that is not ASCII', '82 62 c3bc a2 61 62 01 61 61 02'],
    ['duplicate key that is not ASCII', 'a2 62 c3bc 01 62 c3bc 02'],
    ['key that is invalid UTF-8', 'a1 61 ff 01'],
    ['key with a byte order mark that a decoder would drop', 'a1 64 efbbbf 61 01'],
    ['key __proto__', 'a1 69 5f5f70726f746f5f5f a0'],
    ['key __proto__ inside', '81 a1 69 5f5f70726f746f5f5f 01'],
    ['invalid UTF-8', '61 ff'],
    ['overlong UTF-8', '62 c0af'],
    ['surrogate in UTF-8', '63 eda080'],
    ['byte order mark that a decoder would drop', '64 efbbbf 61'],
  ]
  test.each(malformed)('%s', (_, bytes) => {
    expect(codeOf(() => decode(hex(bytes)))).toBe('CODEC_MALFORMED')
  })

  test('5 KB of nested arrays and 50 KB of nested maps, without a RangeError', () => {
    // whole values, or their missing end would be what is refused
    const arrays = new Uint8Array(5_000).fill(0x81)
    const maps = Uint8Array.from({ length: 50_002 }, (_, at) => [0xa1, 0x61, 0x61][at % 3] as number)
    for (const bomb of [arrays, maps]) {
      bomb[bomb.length - 1] = 0x01
      const refusal = { code: 'CODEC_MALFORMED', message: expect.stringContaining('nested deeper') }
      expect(() => decode(bomb)).toThrow(expect.objectContaining(refusal))
    }
  })

  test('depth: exactly the limit passes, one more is refused', () => {
    const nested = (depth: number) => Uint8Array.from([...new Array(depth).fill(0x81), 0x01])
    expect(codeOf(() => decode(nested(16)))).toBe('accepted')
    expect(codeOf(() => decode(nested(17)))).toBe('CODEC_MALFORMED')
  })

  test('items: empty maps count, exactly the limit passes, one more is refused', () => {
    const maps = (count: number) => encode(new Array(count).fill({}))
    expect(codeOf(() => decode(maps(99), { maxItems: 100 }))).toBe('accepted')
    expect(codeOf(() => decode(maps(100), { maxItems: 100 }))).toBe('CODEC_MALFORMED')
  })

  test('bytes: exactly the limit passes, one more is refused before anything is read', () => {
    const bytes = encode(new Uint8Array(100))
    const at = (maxBytes: number) => codeOf(() => decodeStrict(bytes, { maxBytes, limits: LIMITS }))
    expect(at(bytes.length)).toBe('accepted')
    expect(at(bytes.length - 1)).toBe('LIMIT_BYTES')
  })
})

describe('what is taken', () => {
  test.each([
    ['00', 0],
    ['17', 23],
    ['18 18', 24],
    ['1b 001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['3b 001ffffffffffffe', -Number.MAX_SAFE_INTEGER],
    ['f4', false],
    ['f6', null],
    ['80', []],
    ['a0', {}],
    ['62 c3bc', 'ü'],
    ['64 61 efbbbf', 'a\ufeff'],
    ['a2 61 62 01 62 c3bc 02', { b: 1, ü: 2 }],
  ])('%s', (bytes, value) => {
    expect(decode(hex(bytes))).toEqual(value)
    expect(encode(value)).toEqual(hex(bytes))
  })

  test('`constructor` is a name like any other and changes no prototype', () => {
    const value = decode(encode({ constructor: 1, toString: 2 })) as object
    expect(Object.entries(value)).toEqual([
      ['toString', 2],
      ['constructor', 1],
    ])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  test('decoded bytes are a copy, so that they keep no received buffer alive', () => {
    for (const bytes of [encode(utf8('abc')), Buffer.from(encode(utf8('abc')))]) {
      const value = decode(bytes) as Uint8Array
      expect(value.buffer).not.toBe(bytes.buffer)
      expect(Buffer.isBuffer(value)).toBe(false)
    }
  })
})
