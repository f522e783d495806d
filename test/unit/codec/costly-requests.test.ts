import * as dagCbor from '@ipld/dag-cbor'
import { describe, expect, test, vi } from 'vitest'
import { MAX_BITMAP_BYTES, MAX_PLACE, MAX_RANGES } from '../../../src/codec/blocks-messages.ts'
import { encode } from '../../../src/codec/cbor.ts'
import {
  decodeControlGossip,
  decodeReleaseGossip,
  encodeControlGossip,
  encodeReleaseGossip,
} from '../../../src/codec/gossip.ts'
import { MAX_TIME_MS } from '../../../src/codec/ids.ts'
import {
  decodeRequest,
  encodeRequest,
  MAX_BLOCKS_TEXT_BYTES,
  MAX_BRIDGE_TEXT_BYTES,
  MAX_SYNC_TEXT_BYTES,
} from '../../../src/codec/messages.ts'
import { MAX_BEACONS } from '../../../src/codec/sync-messages.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Digest, KeyId, Name, Pattern, ReleaseId } from '../../../src/model/ids.ts'
import type { AnyRequest, Protocol } from '../../../src/model/messages.ts'
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
    expect(codeOf(() => decodeRequest('publish', sent, LIMITS))).toBe('LIMIT_BYTES')
    expect(decodings()).toBe(before)
  })
})

const digest = new Uint8Array(32)
const cheap: [Protocol, object][] = [
  ['blocks', { type: 'want', digest }],
  ['sync', { type: 'peers', records: [] }],
  ['bridge', { type: 'heartbeats', heartbeats: [], want: false }],
]

describe.each(junk)('sixty kilobytes of %s', (_what, all) => {
  const zzz = sixtyKilobytes(all)
  const isRefused = (sent: Uint8Array, read: (bytes: Uint8Array) => unknown) => {
    const before = decodings()
    expect(codeOf(() => read(sent))).toBe('LIMIT_BYTES')
    expect(decodings()).toBe(before)
  }

  test.each(cheap)('in a question of %s are refused and not decoded', (protocol, message) => {
    isRefused(encode({ v: 1, ...message, zzz }), (sent) => decodeRequest(protocol, sent, LIMITS))
  })

  test('in gossip are refused and not decoded', () => {
    const control = encode({ v: 1, type: 'root', envelope: bytes, zzz })
    isRefused(control, (sent) => decodeControlGossip(sent, LIMITS))
    const limits = { ...LIMITS, maxReleasesGossipBytes: 100_000 }
    const release = encode({ v: 1, envelope: bytes, attached: [], zzz })
    isRefused(release, (sent) => decodeReleaseGossip(sent, limits))
  })
})

/** A message of most protocols may have 64 KiB. */
function sixtyKilobytes(all: unknown): unknown {
  if (typeof all === 'string') return all.slice(0, Math.floor((all.length * 60_000) / Buffer.byteLength(all)))
  if (Array.isArray(all)) return all
  return Object.fromEntries(Object.entries(all as object).slice(0, 5_800))
}

/** Twice as much as this build ever says, so that a newer one may say more. */
test('the longest of peers that are admitted leave room for as much again', () => {
  const id = 'd'.repeat(64)
  const home = 'r'.repeat(63) as Name
  const channel = [...'abcd']
    .map((letter) => letter.repeat(LIMITS.maxChannelBytes / 4 - 1))
    .join('/') as Channel
  const longest: AnyRequest[] = [
    {
      protocol: 'blocks',
      message: {
        type: 'holds',
        release: id as ReleaseId,
        channel,
        whole: false,
        bitmap: new Uint8Array(MAX_BITMAP_BYTES),
        ranges: new Array(MAX_RANGES).fill(MAX_PLACE),
      },
    },
    {
      protocol: 'sync',
      message: { type: 'beacons', have: new Array(MAX_BEACONS).fill({ key: id as KeyId, at: MAX_TIME_MS }) },
    },
    {
      protocol: 'bridge',
      message: {
        type: 'have',
        items: new Array(LIMITS.maxBridgeHave).fill({ topic: 'releases', id: id as Digest, home }),
      },
    },
  ]
  for (const { protocol, message } of longest) {
    const sent = encodeRequest(protocol, message as never)
    expect(decodeRequest(protocol, sent, LIMITS).message).toEqual(message)
    const value = dagCbor.decode(sent) as object
    const again = (count: number) => encode({ ...value, zzz: 'z'.repeat(count) })
    const most = { blocks: MAX_BLOCKS_TEXT_BYTES, sync: MAX_SYNC_TEXT_BYTES, bridge: MAX_BRIDGE_TEXT_BYTES }
    const room = most[protocol as keyof typeof most] / 2
    expect(decodeRequest(protocol, again(room), LIMITS).message).toEqual(message)
  }
})

test('gossip of full length is decoded, with as many parts as may be attached', () => {
  const attached = new Array((LIMITS.maxInlineBytes - 100) / 2).fill(bytes)
  const small = { envelope: bytes, attached }
  expect(decodeReleaseGossip(encodeReleaseGossip(small), LIMITS)).toEqual(small)
  const root = { kind: 'root' as const, envelope: new Uint8Array(LIMITS.maxRootBytes) }
  expect(decodeControlGossip(encodeControlGossip(root), LIMITS)).toEqual(root)
})

test('whatever limits say that are lower or higher here', () => {
  const small = { envelope: bytes, attached: [] }
  const inline = { ...LIMITS, maxInlineBytes: 1 }
  expect(decodeReleaseGossip(encodeReleaseGossip(small), inline)).toEqual(small)
  const item = { topic: 'releases', id: 'd'.repeat(64) as Digest, home: 'r'.repeat(63) as Name } as const
  const have = { type: 'have', items: new Array(600).fill(item) } as const
  const many = { ...LIMITS, maxBridgeHave: 600 }
  expect(decodeRequest('bridge', encodeRequest('bridge', have), many).message).toEqual(have)
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
