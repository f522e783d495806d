import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '../../../src/codec/digest.ts'
import { decodeHeader, decodeHeaderCore, encodeHeader } from '../../../src/codec/header.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../../src/codec/messages.ts'
import { isMeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Protocol } from '../../../src/model/messages.ts'
import { replies, requests } from '../../unit/codec/message-samples.ts'
import { samples } from '../../unit/codec/samples.ts'
import { header } from './arbitraries.ts'

/** What is refused must be refused by one of these; an error of any other kind would be a crash. */
const REFUSALS = new Set([
  'CODEC_MALFORMED',
  'CODEC_UNSUPPORTED',
  'LIMIT_BYTES',
  'LIMIT_SIGNATURES',
  'LIMIT_CONTENT',
  'CONTENT_PATH',
  'TRUST_ROOT_INVALID',
])

function attempt<T>(run: () => T): { value: T } | undefined {
  try {
    return { value: run() }
  } catch (error) {
    if (isMeshError(error) && REFUSALS.has(error.code)) return undefined
    throw error
  }
}

const mutation = fc.record({
  at: fc.nat(),
  with: fc.uint8Array({ maxLength: 3 }),
  drop: fc.nat({ max: 3 }),
})
type Mutation = { at: number; with: Uint8Array; drop: number }

function mutate(bytes: Uint8Array, { at, with: inserted, drop }: Mutation): Uint8Array {
  const index = at % bytes.length
  return new Uint8Array(Buffer.concat([bytes.subarray(0, index), inserted, bytes.subarray(index + drop)]))
}

test('every header comes back as it was, unknown names included', () => {
  fc.assert(
    fc.property(header, (given) => {
      const bytes = encodeHeader(given)
      const read = decodeHeader(bytes, LIMITS)
      expect(read.header).toEqual(given)
      expect(encodeHeader(read.header)).toEqual(bytes)
      const { id, counter, publisher, clock } = decodeHeaderCore(bytes, LIMITS)
      expect({ id, counter }).toEqual({ id: read.id, counter: read.counter })
      expect(clock.get(publisher)).toBe(counter)
    }),
    { numRuns: 300 },
  )
})

describe('a document with bytes changed, put in or left out is refused with a code, or is canonical', () => {
  test.each(samples.filter(({ name }) => name !== 'envelope-json'))('$name', ({ value, encode, decode }) => {
    const bytes = encode(value)
    fc.assert(
      fc.property(mutation, (change) => {
        const changed = mutate(bytes, change)
        const read = attempt(() => decode(changed))
        if (read !== undefined) expect(equalBytes(encode(read.value), changed)).toBe(true)
      }),
      { numRuns: 1_500 },
    )
  })
})

describe('a message with bytes changed, put in or left out is refused with a code', () => {
  test.each(['admit', 'sync', 'blocks', 'publish', 'bridge'] as const)('%s', (protocol: Protocol) => {
    const small = (bytes: Uint8Array) => bytes.length < 4_096
    const asked = requests[protocol].map((message) => encodeRequest(protocol, message as never)).filter(small)
    const answered = replies[protocol].map((message) => encodeReply(protocol, message as never)).filter(small)
    fc.assert(
      fc.property(fc.nat(), mutation, (pick, change) => {
        attempt(() =>
          decodeRequest(protocol, mutate(asked[pick % asked.length] as Uint8Array, change), LIMITS),
        )
        attempt(() =>
          decodeReply(protocol, mutate(answered[pick % answered.length] as Uint8Array, change), LIMITS),
        )
      }),
      { numRuns: 3_000 },
    )
  })
})
