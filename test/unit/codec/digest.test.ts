import { describe, expect, test } from 'vitest'
import { bytesToHex, hexToBytes } from '../../../src/codec/digest.ts'
import { codeOf } from './refusal.ts'

describe('hex', () => {
  test('has one form of each byte string, there and back', () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    expect(hexToBytes(bytesToHex(all))).toEqual(all)
    expect(hexToBytes('')).toEqual(new Uint8Array())
  })

  // Node's own decoder stops at what it does not know and gives what came before.
  test.each(['a', 'abc', 'AB', '0x10', 'zz', 'ab cd', 'ab\n'])('is refused: %j', (text) =>
    expect(codeOf(() => hexToBytes(text))).toBe('CODEC_MALFORMED'),
  )
})
