import { expect, test } from 'vitest'
import { decodeBlockReply, encodeBlockReply } from '../../../src/codec/block-reply.ts'
import { decodeReply, encodeReply, encodeReplyParts } from '../../../src/codec/messages.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'

const { maxBlockBytes } = LIMITS
/** The last is longer than is taken here. */
const LENGTHS = [1, 23, 24, 255, 256, 65_535, 65_536, maxBlockBytes, maxBlockBytes + 1]
const blockOf = (length: number): Uint8Array => new Uint8Array(length).map((_, at) => at % 251)
const messageOf = (bytes: Uint8Array): Uint8Array => encodeReply('blocks', { type: 'block', bytes })

test.each(LENGTHS)(
  'a block of %i bytes has the one form that dag-cbor gives it, and is read from it',
  (length) => {
    const bytes = blockOf(length)
    const parts = encodeBlockReply(bytes)
    const message = messageOf(bytes)
    expect(parts.at(-1)).toBe(bytes)
    expect(Buffer.concat(parts).equals(message)).toBe(true)
    expect(decodeBlockReply(message, LIMITS)).toEqual(bytes)
    expect(decodeReply('blocks', message, LIMITS)).toEqual({
      protocol: 'blocks',
      message: { type: 'block', bytes },
    })
  },
)

test('what is no block goes out in one part', () => {
  const reply = { protocol: 'blocks', message: { type: 'busy', retryAfterMs: 5 } } as const
  expect(encodeReplyParts(reply)).toEqual([encodeReply('blocks', reply.message)])
  expect(decodeBlockReply(encodeReply('blocks', reply.message), LIMITS)).toBeUndefined()
})

test('a block that is most of its message is not copied; out of a larger piece of memory it is', () => {
  const message = messageOf(blockOf(1_000)).slice()
  expect(decodeBlockReply(message, LIMITS)?.buffer).toBe(message.buffer)
  const among = new Uint8Array(64 * 1024)
  among.set(message, 500)
  const block = decodeBlockReply(among.subarray(500, 500 + message.length), LIMITS)
  expect(block).toEqual(blockOf(1_000))
  expect(block?.buffer.byteLength).toBe(1_000)
})

test('cut off, too long, or with a length that could be shorter: for the strict decoder, which refuses it', () => {
  const message = messageOf(blockOf(300))
  const at = message.length - 300 - 3
  const longer = Buffer.concat([
    message.subarray(0, at),
    Uint8Array.of(0x5a, 0, 0, 1, 44),
    message.subarray(at + 3),
  ])
  for (const wrong of [message.subarray(0, -1), Buffer.concat([message, Uint8Array.of(0)]), longer]) {
    expect(decodeBlockReply(wrong, LIMITS)).toBeUndefined()
    expect(codeOf(() => decodeReply('blocks', wrong, LIMITS))).toBe('CODEC_MALFORMED')
  }
})

test('empty, or in a longer message than may be: refused', () => {
  for (const length of [0, LIMITS.maxBlockMessageBytes]) {
    const message = messageOf(blockOf(length))
    expect(decodeBlockReply(message, LIMITS)).toBeUndefined()
    expect(codeOf(() => decodeReply('blocks', message, LIMITS))).not.toBe('accepted')
  }
})
