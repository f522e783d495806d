import { expect, test } from 'vitest'
import { Unframer } from '../../../src/net/unframing.ts'

test('a length that goes on without growing is refused after as many bytes as the longest has', () => {
  const unframer = new Unframer('test', 2_000_000)
  const take = (...bytes: number[]) => [...unframer.take(Uint8Array.from(bytes))]
  expect(take(0x80, 0x80)).toEqual([])
  expect(() => take(0x80)).toThrow(expect.objectContaining({ code: 'LIMIT_BYTES' }))
})

test('the longest message that is allowed is not', () => {
  const unframer = new Unframer('test', 2_000_000)
  expect([...unframer.take(Uint8Array.from([0x80, 0x89, 0x7a]))]).toEqual([])
})
