import fc from 'fast-check'
import { Uint8ArrayList } from 'uint8arraylist'
import { expect, test } from 'vitest'
import { frame } from '../../../src/net/framing.ts'
import { Unframer } from '../../../src/net/unframing.ts'

const MAX_BYTES = 2_000_000

/** Cut where the numbers say, one after another, and the rest in one piece. */
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  let rest = bytes
  for (const length of lengths) {
    parts.push(rest.subarray(0, length))
    rest = rest.subarray(length)
  }
  return [...parts, rest]
}

const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // longer than what is taken at once for it
  fc
    .integer({ min: 500_000, max: 1_500_000 })
    .map((length) => new Uint8Array(Buffer.alloc(length, 'of many bytes '))),
)

const equal = (some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean =>
  some.length === others.length &&
  some.every((each, at) => Buffer.compare(each, others[at] as Uint8Array) === 0)

test('however the bytes of messages are cut, the same messages come of them', () => {
  const cuts = fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.nat(600_000)), { maxLength: 40 })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), cuts, fc.nat(3), (messages, lengths, perList) => {
      const parts = cut(frame(messages, MAX_BYTES).subarray(), lengths)
      const unframer = new Unframer('test', MAX_BYTES)
      const read: Uint8Array[] = []
      for (let at = 0; at < parts.length; at += perList + 1)
        read.push(...unframer.take(new Uint8ArrayList(...parts.slice(at, at + perList + 1))))
      expect(equal(read, messages)).toBe(true)
      expect(unframer.heldBytes).toBe(0)
    }),
    { numRuns: 200 },
  )
})

test('no length that is said makes it take more than it allows', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 12 }), { maxLength: 200 }), (parts) => {
      const unframer = new Unframer('test', 300)
      try {
        for (const part of parts)
          for (const each of unframer.take(part)) expect(each.byteLength).toBeLessThanOrEqual(300)
        expect(unframer.heldBytes).toBeLessThan(300)
      } catch (error) {
        expect(error).toMatchObject({ code: 'LIMIT_BYTES' })
      }
    }),
  )
})
