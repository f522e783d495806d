import { decode as decodeLoosely } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { hexToBytes, sha256 } from '../../../src/codec/digest.ts'
import { asCbor } from '../../../src/codec/extra.ts'
import { decodeHeader, decodeHeaderCore, encodeHeader } from '../../../src/codec/header.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Extra } from '../../../src/model/extra.ts'
import { codeOf } from './refusal.ts'
import { alice, bob, channel, digestOf, fleet, header } from './samples.ts'

const raw = decodeLoosely(encodeHeader(header)) as Record<string, unknown>
const decode = (bytes: Uint8Array) => decodeHeader(bytes, LIMITS)
const withField = (more: object): Uint8Array => encode({ ...raw, ...more })
const page = hexToBytes(digestOf('p'))

describe('fields', () => {
  test.each([
    ['nothing changed', {}, 'accepted'],
    ['critical names', { critical: new Array(17).fill('x') }, 'CODEC_MALFORMED'],
    ['critical of numbers', { critical: [1] }, 'CODEC_MALFORMED'],
    ['fleet of 31 bytes', { fleet: new Uint8Array(31) }, 'CODEC_MALFORMED'],
    ['fleet as hex', { fleet }, 'CODEC_MALFORMED'],
    ['channel `current`', { channel: 'a/current' }, 'CODEC_MALFORMED'],
    ['channel of a pattern', { channel: 'a/*' }, 'CODEC_MALFORMED'],
    ['root 0', { root: 0 }, 'CODEC_MALFORMED'],
    ['root -1', { root: -1 }, 'CODEC_MALFORMED'],
    ['publisher with a slash', { publisher: 'a/b' }, 'CODEC_MALFORMED'],
    ['publisher __proto__', { publisher: '__proto__' }, 'CODEC_MALFORMED'],
    ['no pages', { pages: [] }, 'CODEC_MALFORMED'],
    ['256 pages', { pages: new Array(256).fill(page) }, 'accepted'],
    ['257 pages', { pages: new Array(257).fill(page) }, 'LIMIT_CONTENT'],
    ['no files', { files: 0 }, 'CODEC_MALFORMED'],
    ['10 million files', { files: 10_000_000 }, 'LIMIT_CONTENT'],
    ['files up to the limit', { files: LIMITS.maxFiles }, 'accepted'],
    ['bytes beyond the limit', { bytes: LIMITS.maxReleaseBytes + 1 }, 'LIMIT_CONTENT'],
    ['negative bytes', { bytes: -1 }, 'CODEC_MALFORMED'],
    ['message of 1 KiB', { message: 'a'.repeat(1024) }, 'accepted'],
    ['message of 1 KiB + 1', { message: 'a'.repeat(1025) }, 'LIMIT_CONTENT'],
    ['message of 1 KiB + 1 in fewer characters', { message: 'ü'.repeat(513) }, 'LIMIT_CONTENT'],
    ['message as bytes', { message: new Uint8Array(1) }, 'CODEC_MALFORMED'],
    ['created after the year 9999', { created: 253_402_300_800_000 }, 'CODEC_MALFORMED'],
    ['expires as text', { expires: '2027' }, 'CODEC_MALFORMED'],
    ['expires null', { expires: null }, 'CODEC_MALFORMED'],
    ['v as text', { v: '1' }, 'CODEC_MALFORMED'],
    ['v 0', { v: 0 }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => {
    expect(codeOf(() => decode(withField(more)))).toBe(code)
  })

  test.each(Object.keys(raw).filter((name) => !['expires', 'rollout', 'requires'].includes(name)))(
    '%s may not be missing',
    (name) => {
      const { [name]: _, ...rest } = raw
      expect(codeOf(() => decode(encode(rest)))).toBe('CODEC_MALFORMED')
    },
  )

  test('16 KiB pass, one byte more is refused', () => {
    const padded = (size: number) => withField({ padding: new Uint8Array(size) })
    const overhead = padded(10_000).length - 10_000
    expect(codeOf(() => decode(padded(LIMITS.maxHeaderBytes - overhead)))).toBe('accepted')
    expect(codeOf(() => decode(padded(LIMITS.maxHeaderBytes - overhead + 1)))).toBe('LIMIT_BYTES')
  })

  test('a value that is no map is refused', () => {
    for (const value of [null, [], 'header', 1, new Uint8Array(3)])
      expect(codeOf(() => decode(encode(value)))).toBe('CODEC_MALFORMED')
  })
})

test('a message that could not be read again is not written', () => {
  expect(codeOf(() => encodeHeader({ ...header, message: '\ufeffhello' }))).toBe('CODEC_MALFORMED')
})

describe('clock', () => {
  const entries = (count: number) =>
    Object.fromEntries(Array.from({ length: count - 1 }, (_, at) => [`p${at}`, 1]))
  test.each([
    ['own entry alone', { alice: 1 }, 'accepted'],
    ['empty', {}, 'CODEC_MALFORMED'],
    ['own entry missing', { bob: 3 }, 'CODEC_MALFORMED'],
    ['own entry equal to another', { alice: 3, bob: 3 }, 'CODEC_MALFORMED'],
    ['own entry below another', { alice: 3, bob: 4 }, 'CODEC_MALFORMED'],
    ['own entry above all', { alice: 4, bob: 3, carol: 3 }, 'accepted'],
    ['counter 0', { alice: 1, bob: 0 }, 'CODEC_MALFORMED'],
    ['counter -1', { alice: 1, bob: -1 }, 'CODEC_MALFORMED'],
    ['counter 2^53-1', { alice: Number.MAX_SAFE_INTEGER }, 'accepted'],
    ['name that is none', { alice: 2, 'a/b': 1 }, 'CODEC_MALFORMED'],
    ['a publisher named constructor', { alice: 2, constructor: 1 }, 'accepted'],
    ['32 entries', { alice: 2, ...entries(32) }, 'accepted'],
    ['33 entries', { alice: 2, ...entries(33) }, 'LIMIT_CONTENT'],
    ['a list', [['alice', 1]], 'CODEC_MALFORMED'],
  ])('%s: %j', (_, clock, code) => {
    expect(codeOf(() => decode(withField({ clock })))).toBe(code)
  })

  test('entries ascend by name, whatever their order on the wire', () => {
    const clock = { alice: 3, zo: 1, abc: 2, bob: 1 }
    expect([...decode(withField({ clock })).header.clock.keys()]).toEqual(['abc', 'alice', 'bob', 'zo'])
  })
})

describe('versions', () => {
  test('the id is the digest of the bytes, the counter the own entry', () => {
    const bytes = encodeHeader(header)
    expect(decode(bytes)).toEqual({ id: sha256(bytes), header, counter: 7 })
  })

  test('unknown names are kept and written back, byte for byte', () => {
    const bytes = withField({ zebra: [1, { a: null }], future: 'x', extra: 1, constructor: 2 })
    const read = decode(bytes).header
    expect(Object.entries(asCbor.unpack(read.extra as Extra) as object).length).toBe(4)
    expect(read).toEqual({
      ...header,
      extra: asCbor.pack({ zebra: [1, { a: null }], future: 'x', extra: 1, constructor: 2 }),
    })
    expect(encodeHeader(read)).toEqual(bytes)
  })

  test.each(['', 'hello', 'grüße'])(
    'what looks like a link of dag-cbor is taken beside %j, and kept',
    (message) => {
      // Made by hand, since the encoder would take it for one.
      const fields = { message, rollout: { '.': 1, bytes: 1 }, future: [{ '.': 1, bytes: 1 }] }
      const almost = Buffer.from(withField(fields))
      const bytes = Buffer.from(almost.toString('latin1').replaceAll('a.\x01', 'a/\x01'), 'latin1')
      const looks = { '/': 1, bytes: 1 }
      const read = decode(bytes).header
      expect(asCbor.unpack(read.rollout as Extra)).toEqual(looks)
      expect(asCbor.unpack(read.extra as Extra)).toEqual({ future: [looks] })
    },
  )

  test('an unknown critical name is taken: the gate is activation, not decoding', () => {
    expect(decode(withField({ critical: ['teleport'] })).header.critical).toEqual(['teleport'])
  })

  test('another `v` is CODEC_UNSUPPORTED, whatever else has changed, but its core can be read', () => {
    const { pages: _, files: __, ...rest } = raw
    const bytes = encode({ ...rest, v: 2, bytes: 'many', shards: [1, 2] })
    expect(codeOf(() => decode(bytes))).toBe('CODEC_UNSUPPORTED')
    expect(decodeHeaderCore(bytes, LIMITS)).toEqual({
      v: 2,
      critical: ['rollout'],
      fleet,
      channel,
      root: 3,
      publisher: alice,
      clock: new Map([
        [alice, 7],
        [bob, 2],
      ]),
      id: sha256(bytes),
      counter: 7,
    })
  })

  test('the core of another version is read as strictly', () => {
    const core = (more: object) => codeOf(() => decodeHeaderCore(withField({ v: 9, ...more }), LIMITS))
    expect(core({})).toBe('accepted')
    expect(core({ clock: { bob: 1 } })).toBe('CODEC_MALFORMED')
    expect(core({ channel: '../a' })).toBe('CODEC_MALFORMED')
    expect(core({ fleet: 'x' })).toBe('CODEC_MALFORMED')
  })
})
