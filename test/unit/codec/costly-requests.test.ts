import * as dagCbor from '@ipld/dag-cbor'
import { describe, expect, test, vi } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { decodeRequest, encodeRequest } from '../../../src/codec/messages.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { requests } from './message-samples.ts'
import { codeOf } from './refusal.ts'

vi.mock('@ipld/dag-cbor', { spy: true })

const decodings = () => vi.mocked(dagCbor.decode).mock.calls.length
const release = new Uint8Array(32)
const bytes = Uint8Array.of(1)
const junk: [string, unknown][] = [
  ['text that is not ASCII', 'ü'.repeat(50_000)],
  ['text', 'u'.repeat(100_000)],
  ['keys', Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`key-${at}`, 1]))],
  ['numbers', Array.from({ length: 60_000 }, () => 1)],
]

describe.each(junk)('a hundred kilobytes of %s', (_what, zzz) => {
  test.each([
    { type: 'await', release },
    { type: 'block', release, bytes },
    { type: 'page', release, bytes },
  ])('in a submission, $type, are refused and not decoded', (message) => {
    const sent = encode({ v: 1, ...message, zzz })
    const before = decodings()
    expect(codeOf(() => decodeRequest('publish', sent, LIMITS))).toBe('CODEC_MALFORMED')
    expect(decodings()).toBe(before)
  })
})

test('what is legal is decoded: pages and blocks of full length, and a hello with as much in it as may be', () => {
  for (const message of requests.publish)
    expect(decodeRequest('publish', encodeRequest('publish', message), LIMITS).message).toEqual(message)
  const block = {
    type: 'block',
    release: 'a'.repeat(64) as never,
    bytes: new Uint8Array(LIMITS.maxBlockBytes),
  } as const
  expect(decodeRequest('publish', encodeRequest('publish', block), LIMITS).message).toEqual(block)
  const [hello] = requests.admit.filter((each) => each.type === 'hello')
  if (hello?.type !== 'hello') throw new Error('no hello among the samples')
  const names = [...'abcd'].map((letter) => letter.repeat(LIMITS.maxChannelBytes / 4 - 1))
  const pattern = (at: number) => `${names.join('/')}${at % 10}` as Pattern
  const full = { ...hello, patterns: Array.from({ length: LIMITS.maxPatterns }, (_, at) => pattern(at)) }
  expect(decodeRequest('admit', encodeRequest('admit', full), LIMITS).message).toEqual(full)
})
