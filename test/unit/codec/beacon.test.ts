import { decode as decodeLoosely } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { decodeBeacon, decodeBeaconPage, encodeBeacon } from '../../../src/codec/beacon.ts'
import { encode } from '../../../src/codec/cbor.ts'
import { hexToBytes } from '../../../src/codec/digest.ts'
import { decodeHeartbeat, encodeHeartbeat } from '../../../src/codec/heartbeat.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'
import { beacon, digestOf, heartbeat } from './samples.ts'

const digest = hexToBytes(digestOf('page'))

describe('beacon', () => {
  const raw = decodeLoosely(encodeBeacon(beacon)) as object
  const decode = (more: object) => codeOf(() => decodeBeacon(encode({ ...raw, ...more }), LIMITS))

  test.each([
    ['nothing changed', {}, 'accepted'],
    ['v 2', { v: 2, pages: 1 }, 'CODEC_UNSUPPORTED'],
    ['no pages', { pages: [] }, 'CODEC_MALFORMED'],
    ['2 pages', { pages: new Array(2).fill(digest) }, 'accepted'],
    ['3 pages', { pages: new Array(3).fill(digest) }, 'CODEC_MALFORMED'],
    ['256 pages', { pages: new Array(256).fill(digest) }, 'accepted'],
    ['512 pages', { pages: new Array(512).fill(digest) }, 'LIMIT_BYTES'],
    ['512 small pages', { pages: new Array(512).fill(1) }, 'LIMIT_BYTES'],
    ['root 0', { root: 0 }, 'CODEC_MALFORMED'],
    ['at beyond the year 9999', { at: Number.MAX_SAFE_INTEGER }, 'CODEC_MALFORMED'],
    ['key as hex', { key: digestOf('k') }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => expect(decode(more)).toBe(code))

  test('unknown names are kept and written back', () => {
    const bytes = encode({ ...raw, future: [1] })
    expect(encodeBeacon(decodeBeacon(bytes, LIMITS))).toEqual(bytes)
  })
})

describe('beacon page', () => {
  const hash = (first: number) => new Uint8Array(16).fill(first)
  const entry = (first: number, target: unknown = null, top: unknown = [1, 2, 'a']) => [
    hash(first),
    top,
    target,
  ]
  const decode = (value: unknown) => codeOf(() => decodeBeaconPage(encode(value), LIMITS))

  test.each<[string, unknown, string]>([
    ['no channels', [], 'accepted'],
    ['each target', [entry(1), entry(2, 'held'), entry(3, digest)], 'accepted'],
    ['place of a raised epoch', [entry(1, null, [4, 0, ''])], 'accepted'],
    ['200 entries', Array.from({ length: 200 }, (_, at) => entry(at)), 'accepted'],
    ['channels that do not ascend', [entry(2), entry(1)], 'CODEC_MALFORMED'],
    ['one channel twice', [entry(1), entry(1, 'held')], 'CODEC_MALFORMED'],
    ['another word for a target', [entry(1, 'none')], 'CODEC_MALFORMED'],
    ['target of 31 bytes', [entry(1, new Uint8Array(31))], 'CODEC_MALFORMED'],
    ['place with a bad publisher', [entry(1, null, [1, 2, 'a/b'])], 'CODEC_MALFORMED'],
    ['place without a publisher', [entry(1, null, [1, 2])], 'CODEC_MALFORMED'],
    ['place below zero', [entry(1, null, [-1, 2, 'a'])], 'CODEC_MALFORMED'],
    ['hash of 15 bytes', [[new Uint8Array(15), [1, 2, 'a'], null]], 'CODEC_MALFORMED'],
    ['an entry that goes on', [[...entry(1), 1]], 'CODEC_MALFORMED'],
    ['a map', {}, 'CODEC_MALFORMED'],
  ])('%s', (_, value, code) => expect(decode(value)).toBe(code))
})

describe('heartbeat', () => {
  const raw = decodeLoosely(encodeHeartbeat(heartbeat)) as object
  const decode = (more: object) => codeOf(() => decodeHeartbeat(encode({ ...raw, ...more }), LIMITS))
  test.each([
    ['nothing changed', {}, 'accepted'],
    ['v 2', { v: 2 }, 'CODEC_UNSUPPORTED'],
    ['no addresses', { addresses: [] }, 'CODEC_MALFORMED'],
    ['9 addresses', { addresses: new Array(9).fill(heartbeat.addresses[0]) }, 'CODEC_MALFORMED'],
    ['address without a peer', { addresses: ['/ip4/1.2.3.4/tcp/1'] }, 'CODEC_MALFORMED'],
    ['region of two segments', { region: 'a/b' }, 'CODEC_MALFORMED'],
    ['a stopgap', { stopgap: 'new' }, 'accepted'],
    ['a stopgap of a later build', { stopgap: 'old' }, 'CODEC_UNSUPPORTED'],
    ['a stopgap that is no text', { stopgap: 1 }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => expect(decode(more)).toBe(code))
})
