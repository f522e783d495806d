import { describe, expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { decodeControlGossip, decodeReleaseGossip, encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'
import { utf8 } from './samples.ts'

const envelope = utf8('an envelope')

describe('releases', () => {
  const decode = (more: object) =>
    codeOf(() => decodeReleaseGossip(encode({ v: 1, envelope, attached: [], ...more }), LIMITS))

  test.each([
    ['nothing attached', {}, 'accepted'],
    ['content attached', { attached: [utf8('page'), utf8('block')] }, 'accepted'],
    ['v 2', { v: 2 }, 'CODEC_UNSUPPORTED'],
    ['no envelope', { envelope: new Uint8Array(0) }, 'CODEC_MALFORMED'],
    ['envelope as text', { envelope: 'x' }, 'CODEC_MALFORMED'],
    ['an empty attachment', { attached: [new Uint8Array(0)] }, 'CODEC_MALFORMED'],
    ['an attachment as text', { attached: ['x'] }, 'CODEC_MALFORMED'],
    ['attached null', { attached: null }, 'CODEC_MALFORMED'],
    // Which the core ignores: a neighbour may take more.
    ['an envelope beyond its limit', { envelope: new Uint8Array(LIMITS.maxEnvelopeBytes + 1) }, 'accepted'],
    ['32 KiB and more', { envelope: new Uint8Array(LIMITS.maxReleasesGossipBytes) }, 'LIMIT_BYTES'],
  ])('%s', (_, more, code) => expect(decode(more)).toBe(code))

  test('with content attached, 14,000 bytes are the limit: of a longer message the envelope alone counts', () => {
    const sized = (size: number) => encodeReleaseGossip({ envelope, attached: [new Uint8Array(size)] })
    const overhead = sized(10_000).length - 10_000
    const decoded = (size: number) => decodeReleaseGossip(sized(size - overhead), LIMITS)
    const most = LIMITS.maxInlineBytes
    expect(decoded(most)).toEqual({ envelope, attached: [new Uint8Array(most - overhead)] })
    expect(decoded(most + 1)).toEqual({ envelope, attached: [], isCut: true })
  })

  test.each([
    ['one part is longer than may be attached here', [new Uint8Array(LIMITS.maxInlineBytes + 1)]],
    [
      'there are more parts than bytes may be attached here',
      new Array(LIMITS.maxInlineBytes + 1).fill(utf8('x')),
    ],
  ])('of a neighbour that takes more, where %s, nothing is malformed', (_, attached) =>
    expect(decodeReleaseGossip(encodeReleaseGossip({ envelope, attached }), LIMITS)).toEqual({
      envelope,
      attached: [],
      isCut: true,
    }),
  )

  test('where nothing is attached, an envelope that is longer by itself is no such message', () => {
    const alone = { envelope: new Uint8Array(LIMITS.maxInlineBytes), attached: [] }
    expect(decodeReleaseGossip(encodeReleaseGossip(alone), LIMITS)).toEqual(alone)
  })
})

describe('control', () => {
  const decode = (more: object) =>
    codeOf(() => decodeControlGossip(encode({ v: 1, type: 'root', envelope, ...more }), LIMITS))

  test.each([
    ['root', {}, 'accepted'],
    ['beacon', { type: 'beacon' }, 'accepted'],
    ['heartbeat', { type: 'heartbeat' }, 'accepted'],
    ['a kind of a later build', { type: 'release' }, 'CODEC_UNSUPPORTED'],
    ['a kind that is no text', { type: 1 }, 'CODEC_MALFORMED'],
    ['v 2', { v: 2, type: 'news' }, 'CODEC_UNSUPPORTED'],
    ['an envelope of 60 KiB', { envelope: new Uint8Array(LIMITS.maxRootBytes) }, 'accepted'],
    [
      'an envelope beyond its limit',
      { envelope: new Uint8Array(LIMITS.maxRootBytes + 1) },
      'CODEC_MALFORMED',
    ],
    ['64 KiB and more', { envelope: new Uint8Array(LIMITS.maxControlGossipBytes) }, 'LIMIT_BYTES'],
  ])('%s', (_, more, code) => expect(decode(more)).toBe(code))
})
