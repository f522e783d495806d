import { describe, expect, test } from 'vitest'
import { decodeCanonicalJson, encodeCanonicalJson, parseJson } from '../../../src/codec/json.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'
import { utf8 } from './samples.ts'

const decode = (text: string | Uint8Array, limits = {}): unknown =>
  decodeCanonicalJson(typeof text === 'string' ? utf8(text) : text, {
    maxBytes: 100_000,
    limits: { ...LIMITS, ...limits },
    what: 'test',
  })

describe('canonical JSON (RFC 8785)', () => {
  test.each([
    ['white space', '{ "a":1}'],
    ['line end', '{"a":1}\n'],
    ['unsorted keys', '{"b":1,"a":2}'],
    ['duplicate key, same value', '{"a":1,"a":1}'],
    ['duplicate key by escape', '{"a":1,"\\u0061":1}'],
    ['fraction', '{"a":1.5}'],
    ['fraction that is none', '{"a":1.0}'],
    ['exponent', '{"a":1e3}'],
    ['minus zero', '{"a":-0}'],
    ['2^53', '{"a":9007199254740992}'],
    ['number that overflows', '{"a":1e999}'],
    ['escape that is not needed', '{"a":"\\u0041"}'],
    ['upper-case escape', '{"a":"\\u000A"}'],
    ['lone surrogate', '{"a":"\\ud800"}'],
    ['__proto__', '{"__proto__":{"a":1}}'],
    ['__proto__ by escape', '{"__pr\\u006fto__":1}'],
    ['comment', '{"a":1}//'],
    ['trailing comma', '{"a":1,}'],
    ['two values', '{}{}'],
    ['nothing', ''],
    ['string that does not end', '"abc'],
    ['NaN', 'NaN'],
  ])('refuses: %s', (_, text) => {
    expect(codeOf(() => decode(text))).toBe('CODEC_MALFORMED')
  })

  test('refuses bytes that are no UTF-8, and a byte order mark', () => {
    expect(codeOf(() => decode(Uint8Array.of(0x22, 0xff, 0x22)))).toBe('CODEC_MALFORMED')
    expect(codeOf(() => decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)))).toBe('CODEC_MALFORMED')
  })

  test('refuses 20 KB of nested arrays without a RangeError; exactly the depth limit passes', () => {
    expect(codeOf(() => decode('['.repeat(20_000)))).toBe('CODEC_MALFORMED')
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(codeOf(() => decode(nested(16)))).toBe('accepted')
    expect(codeOf(() => decode(nested(17)))).toBe('CODEC_MALFORMED')
  })

  test('counts items, but not what looks like them inside text', () => {
    expect(codeOf(() => decode('[1,2,3]', { maxItems: 3 }))).toBe('CODEC_MALFORMED')
    expect(codeOf(() => decode('["[,{,:,[,\\",,"]', { maxItems: 3 }))).toBe('accepted')
  })

  test('refuses what is too long', () => {
    expect(codeOf(() => decode(`"${'a'.repeat(100_000)}"`))).toBe('LIMIT_BYTES')
  })

  test("writes RFC 8785's own example of sorting and of text", () => {
    const value = {
      '€': 'Euro',
      '\r': 'CR',
      '1': 'One',
      '\u0080': 'Control',
      ö: 'o',
      '😀': 'Smile',
      \ufb33: 'D',
    }
    expect(new TextDecoder().decode(encodeCanonicalJson(value))).toBe(
      '{"\\r":"CR","1":"One","\u0080":"Control","ö":"o","€":"Euro","😀":"Smile","\ufb33":"D"}',
    )
    expect(decode(encodeCanonicalJson(value))).toEqual(value)
    const text = '€$\u000f\nA\'B"\\"/'
    expect(new TextDecoder().decode(encodeCanonicalJson(text))).toBe('"€$\\u000f\\nA\'B\\"\\\\\\"/"')
  })

  test('does not write what it would not read', () => {
    for (const value of [1.5, Number.NaN, 2 ** 53, '\ud800', undefined, 1n])
      expect(codeOf(() => encodeCanonicalJson(value))).toBe('CODEC_MALFORMED')
  })
})

describe('JSON for people', () => {
  test('may be indented, but no key stands twice and nothing is deep', () => {
    expect(parseJson('{\n  "a": [1, 2]\n}\n', LIMITS, 'file')).toEqual({ a: [1, 2] })
    expect(codeOf(() => parseJson('{"a": 1, "a": 2}', LIMITS, 'file'))).toBe('CODEC_MALFORMED')
    expect(codeOf(() => parseJson('{"x": {"a": 1, "a": 2}}', LIMITS, 'file'))).toBe('CODEC_MALFORMED')
    expect(codeOf(() => parseJson('['.repeat(100_000), LIMITS, 'file'))).toBe('CODEC_MALFORMED')
  })
})
