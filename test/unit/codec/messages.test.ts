import { decode as decodeLoosely } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  isLast,
  maxReplyBytes,
  maxRequestBytes,
} from '../../../src/codec/messages.ts'
import { LIMITS } from '../../../src/limits.ts'
import type {
  AnyReply,
  Protocol,
  ReplyOf,
  RequestOf,
  ShortDigest,
  ShortHash,
} from '../../../src/model/messages.ts'
import { replies, requests } from './message-samples.ts'
import { codeOf } from './refusal.ts'
import { channel, releaseOf, utf8 } from './samples.ts'

const protocols = ['admit', 'sync', 'blocks', 'publish', 'bridge'] as const

describe.each(protocols)('%s', (protocol) => {
  test.each(requests[protocol] as readonly RequestOf[Protocol][])(
    'request $type there and back',
    (message) => {
      const bytes = encodeRequest(protocol, message)
      expect(decodeRequest(protocol, bytes, LIMITS)).toEqual({ protocol, message })
      expect(decodeLoosely(bytes)).toMatchObject({ v: 1, type: message.type })
    },
  )

  test.each(replies[protocol] as readonly ReplyOf[Protocol][])('reply $type there and back', (message) => {
    const bytes = encodeReply(protocol, message)
    expect(decodeReply(protocol, bytes, LIMITS)).toEqual({ protocol, message })
  })

  test('a newer version or type is unsupported, which is an answer and no fault', () => {
    for (const decode of [decodeRequest, decodeReply]) {
      const code = (value: unknown) => codeOf(() => decode(protocol, encode(value), LIMITS))
      expect(code({ v: 2, type: 'root', since: 'x' })).toBe('CODEC_UNSUPPORTED')
      expect(code({ v: 1, type: 'teleport' })).toBe('CODEC_UNSUPPORTED')
      expect(code({ v: 1, type: 'constructor' })).toBe('CODEC_UNSUPPORTED')
      expect(code({ v: 1 })).toBe('CODEC_MALFORMED')
      expect(code({ type: 'root' })).toBe('CODEC_MALFORMED')
      expect(code(['root'])).toBe('CODEC_MALFORMED')
    }
  })

  test('unknown names of a newer build are left out', () => {
    for (const message of requests[protocol] as readonly RequestOf[Protocol][]) {
      const wider = encode({
        ...(decodeLoosely(encodeRequest(protocol, message)) as object),
        zzz: 1,
        extra: 2,
      })
      expect(decodeRequest(protocol, wider, LIMITS).message).toEqual(message)
    }
  })

  test('each field is needed and has its type', () => {
    for (const message of requests[protocol] as readonly RequestOf[Protocol][]) {
      const raw = decodeLoosely(encodeRequest(protocol, message)) as Record<string, unknown>
      for (const name of Object.keys(raw)) {
        const code = (value: unknown) =>
          codeOf(() => decodeRequest(protocol, encode({ ...raw, [name]: value }), LIMITS))
        expect([name, code(null)]).toEqual([name, 'CODEC_MALFORMED'])
        expect([name, code({ a: 1 })]).toEqual([name, 'CODEC_MALFORMED'])
        expect([name, code(-1)]).toEqual([name, 'CODEC_MALFORMED'])
        const { [name]: _, ...rest } = raw
        // The content of an announcement; elsewhere bytes are all there is.
        const optional =
          name === 'failed' ||
          name === 'bitmap' ||
          name === 'after' ||
          (message.type === 'announce' && name === 'bytes') ||
          (protocol === 'bridge' && name === 'pages')
        const missing = codeOf(() => decodeRequest(protocol, encode(rest), LIMITS))
        expect([name, missing]).toEqual([name, optional ? 'accepted' : 'CODEC_MALFORMED'])
      }
    }
  })

  test('bytes beyond the limit are refused before they are parsed', () => {
    const code = (decode: typeof decodeRequest | typeof decodeReply, size: number) =>
      codeOf(() => decode(protocol, new Uint8Array(size).fill(0x81), LIMITS))
    expect(code(decodeRequest, maxRequestBytes(protocol, LIMITS) + 1)).toBe('LIMIT_BYTES')
    expect(code(decodeRequest, maxRequestBytes(protocol, LIMITS))).toBe('CODEC_MALFORMED')
    expect(code(decodeReply, maxReplyBytes(protocol, LIMITS) + 1)).toBe('LIMIT_BYTES')
    expect(code(decodeReply, maxReplyBytes(protocol, LIMITS))).toBe('CODEC_MALFORMED')
  })
})

test('of publish, only what carries content may be as long as a block', () => {
  const pad = (type: string, size: number, more: object) =>
    codeOf(() => decodeRequest('publish', encode({ v: 1, type, ...more, zzz: new Uint8Array(size) }), LIMITS))
  const release = new Uint8Array(32)
  expect(pad('await', 1_000, { release })).toBe('accepted')
  expect(pad('await', 65_536, { release })).toBe('LIMIT_BYTES')
  expect(pad('block', 65_536, { release, bytes: utf8('x') })).toBe('accepted')
})

test('a comparison is packed: no head for each of its thousands of digests', () => {
  const entry = (digit: string) => ({
    channel: digit.repeat(16) as ShortHash,
    entry: '2'.repeat(16) as ShortDigest,
  })
  const bytes = encodeRequest('sync', {
    type: 'entries',
    subBuckets: [1, 2_047],
    subs: 32,
    entries: [entry('1'), entry('a')],
  })
  expect(Buffer.from(bytes).toString('hex')).toBe(
    'a561760164737562731820647479706567656e747269657367656e747269657358201111111111111111222222222222' +
      '2222aaaaaaaaaaaaaaaa22222222222222226a7375624275636b65747344000107ff',
  )
})

describe('bounds', () => {
  const request = (protocol: Protocol, more: object) =>
    codeOf(() => decodeRequest(protocol, encode({ v: 1, ...more }), LIMITS))
  const hello = (more: object) =>
    request('admit', {
      type: 'hello',
      chain: [],
      patterns: [],
      region: '',
      zone: '',
      submit: false,
      heartbeats: [],
      ...more,
    })

  test.each([
    ['nothing', {}, 'accepted'],
    ['2 certificates', { chain: [utf8('a'), utf8('b')] }, 'accepted'],
    ['3 certificates', { chain: [utf8('a'), utf8('b'), utf8('c')] }, 'CODEC_MALFORMED'],
    ['64 patterns', { patterns: new Array(64).fill('a') }, 'accepted'],
    ['65 patterns', { patterns: new Array(65).fill('a') }, 'CODEC_MALFORMED'],
    ['a pattern that is none', { patterns: ['../a'] }, 'CODEC_MALFORMED'],
    ['a region that is no name', { region: 'EU' }, 'CODEC_MALFORMED'],
  ])('hello with %s', (_, more, code) => expect(hello(more)).toBe(code))

  test('a beacon over the bound of this host is no fault of who sends it', () => {
    const { maxBeaconBytes, maxSyncMessageBytes } = LIMITS
    const reply = (length: number) => {
      const message = { type: 'beacons', beacons: [new Uint8Array(length)] } as const
      return codeOf(() => decodeReply('sync', encodeReply('sync', message), LIMITS))
    }
    expect(reply(maxBeaconBytes + 1)).toBe('accepted')
    expect(reply(maxSyncMessageBytes)).toBe('LIMIT_BYTES')
  })

  test('sync', () => {
    const digests = (buckets: number, salt = 16) =>
      request('sync', {
        type: 'digests',
        salt: new Uint8Array(salt),
        root: 1,
        beacons: [],
        digest: new Uint8Array(8),
        buckets: new Uint8Array(8 * buckets),
      })
    expect(digests(64)).toBe('accepted')
    expect(digests(63)).toBe('CODEC_MALFORMED')
    expect(digests(65)).toBe('CODEC_MALFORMED')
    expect(digests(64, 7)).toBe('CODEC_MALFORMED')
    const entries = (subs: number, subBuckets: readonly number[] = [], entryBytes = 0) =>
      request('sync', {
        type: 'entries',
        subBuckets: new Uint8Array(subBuckets),
        subs,
        entries: new Uint8Array(entryBytes),
      })
    expect(entries(8)).toBe('accepted')
    expect(entries(7)).toBe('CODEC_MALFORMED')
    expect(entries(2048)).toBe('CODEC_MALFORMED')
    expect(entries(8, [0, 1, 0, 2], 32)).toBe('accepted')
    expect(entries(8, [0, 1, 0])).toBe('CODEC_MALFORMED')
    expect(entries(8, [0, 1, 0, 1])).toBe('CODEC_MALFORMED')
    expect(entries(8, [], 17)).toBe('CODEC_MALFORMED')
    const differ = (buckets: readonly number[]) =>
      codeOf(() =>
        decodeReply(
          'sync',
          encode({
            v: 1,
            type: 'differ',
            root: 1,
            beacons: [],
            subs: 1,
            buckets: new Uint8Array(buckets),
            digests: new Uint8Array(8 * buckets.length),
          }),
          LIMITS,
        ),
      )
    expect(differ([0, 63])).toBe('accepted')
    expect(differ([64])).toBe('CODEC_MALFORMED')
    expect(differ([2, 1])).toBe('CODEC_MALFORMED')
  })

  test('a block may be as long as its message, whatever is taken here; of one byte more not', () => {
    const block = (bytes: Uint8Array) =>
      codeOf(() =>
        decodeReply('blocks', encode({ v: 1, type: 'block', bytes }), { ...LIMITS, maxBlockBytes: 1_000 }),
      )
    const around = encode({ v: 1, type: 'block', bytes: new Uint8Array(262_144) }).length - 262_144
    const most = LIMITS.maxBlockMessageBytes - around
    expect(block(new Uint8Array(most))).toBe('accepted')
    expect(block(new Uint8Array(most + 1))).toBe('LIMIT_BYTES')
    expect(block(new Uint8Array(0))).toBe('CODEC_MALFORMED')
  })
})

test('a redirect names addresses of the peer it sends to, and of nobody else', () => {
  const [peer, other] = [
    '12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Vk',
    '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN',
  ]
  const redirect = (...hosts: readonly (string | undefined)[]) =>
    codeOf(() =>
      decodeReply(
        'blocks',
        encode({
          v: 1,
          type: 'redirect',
          peer,
          addresses: hosts.map((id) => `/ip4/192.0.2.1/tcp/1/p2p/${id}`),
        }),
        LIMITS,
      ),
    )
  expect(redirect()).toBe('accepted')
  expect(redirect(peer, peer)).toBe('accepted')
  expect(redirect(peer, other)).toBe('CODEC_MALFORMED')
})

test("a refusal's text is one line, and its code looks like one", () => {
  const refused = (code: string, text: string) => ({ v: 1, type: 'refused', code, text })
  const bytes = encode(refused('LIMIT_RATE', 'a\u001b[2J\nconfmesh: forged'))
  expect(decodeReply('admit', bytes, LIMITS).message).toMatchObject({ text: 'a [2J confmesh: forged' })
  const own = encodeReply('admit', { type: 'refused', code: 'LIMIT_RATE', text: 'two\nlines' })
  expect(decodeLoosely(own)).toMatchObject({ text: 'two lines' })
  for (const code of ['', 'limit', 'A\nB', 'A B', 'A'.repeat(65)])
    expect(codeOf(() => decodeReply('admit', encode(refused(code, '')), LIMITS))).toBe('CODEC_MALFORMED')
})

test('a run ends with the first reply that does not say `more`', () => {
  const of = (message: AnyReply['message']) => isLast({ protocol: 'sync', message } as AnyReply)
  expect(of({ type: 'envelopes', envelopes: [], lacks: [], more: true })).toBe(false)
  expect(of({ type: 'envelopes', envelopes: [], lacks: [], more: false })).toBe(true)
  expect(of({ type: 'noted' })).toBe(true)
  expect(of({ type: 'channels', channels: [channel], more: true })).toBe(true)
  expect(of({ type: 'header', envelope: utf8(releaseOf('x')) })).toBe(true)
})
