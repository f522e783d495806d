import type { Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { describe, expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { decodeReply, encodeReply, maxRequestBytes } from '../../../src/codec/messages.ts'
import { intoMessages } from '../../../src/core/sync/peer.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import type { AnyReply, AnyRequest, SyncReply } from '../../../src/model/messages.ts'
import { frame } from '../../../src/net/framing.ts'
import { PROTOCOL_IDS, PROTOCOLS } from '../../../src/net/protocols.ts'
import { kept } from './kept.ts'
import { type RawPeer, rawPeer } from './raw-peer.ts'
import { DIGEST, joined, open, type Scripted, type ScriptOptions, want } from './scripted.ts'

/** Of an answer that is due, on a host that may stand still for seconds. */
const REPLY_MS = 30_000
const { keep, node } = kept()

const pair = async (options?: ScriptOptions): Promise<[Scripted, Scripted]> => {
  const [a, b] = [await node(options), await node(options)]
  await joined(a, b)
  return [a, b]
}

const replyTo = (at: Scripted, id: number, reply: AnyReply) =>
  at.transport.perform({ kind: 'reply', id, reply })
const block = (bytes: Uint8Array): AnyReply => ({ protocol: 'blocks', message: { type: 'block', bytes } })
const envelopes = (marker: number, more: boolean): SyncReply => ({
  type: 'envelopes',
  envelopes: [new Uint8Array(1_000).fill(marker)],
  lacks: [],
  more,
})
const holds = (place: number, bitmapBytes = 0): AnyRequest => ({
  protocol: 'blocks',
  message: {
    type: 'holds',
    release: DIGEST as string as ReleaseId,
    channel: 'a' as Channel,
    whole: false,
    ranges: [place, 1],
    ...(bitmapBytes > 0 && { bitmap: new Uint8Array(bitmapBytes) }),
  },
})
const placesOf = ({ message }: AnyRequest): readonly number[] =>
  message.type === 'holds' ? (message.ranges ?? []).slice(0, 1) : []
const sync = { protocol: 'sync', message: { type: 'push', envelopes: [] } } as const

test('a request gets its reply, and the next one too', async () => {
  const [a, b] = await pair()
  b.onRequest = ({ id, peer, request }) => {
    expect(peer).toBe(a.id)
    expect(request).toEqual(want)
    b.transport.replyBlock(id, new Uint8Array([id]))
  }
  for (let round = 0; round < 3; round += 1) {
    const id = a.ask(b.id, want)
    const { reply } = await a.event('reply', (event) => event.id === id)
    expect(reply).toEqual(block(new Uint8Array([round + 1])))
  }
})

test('requests in parallel are answered out of order, each with its own reply', async () => {
  const [a, b] = await pair()
  const ids = [a.ask(b.id, want), a.ask(b.id, want), a.ask(b.id, want)]
  await b.until('three requests', () => b.of('request').length === 3)
  const asked = b.of('request').map(({ id }) => id)
  for (const id of asked.toReversed()) b.transport.replyBlock(id, new Uint8Array([id]))
  await a.until('three replies', () => a.of('reply').length === 3)
  expect(
    a
      .of('reply')
      .map(({ id }) => id)
      .sort(),
  ).toEqual(ids)
})

test('notices go out in order on a stream that stands, and the next request on it gets its own reply', async () => {
  const [a, b] = await pair()
  b.onRequest = ({ id, request }) => {
    if (request.message.type === 'want') b.transport.replyBlock(id, new Uint8Array([7]))
  }
  const ask = async () => {
    const id = a.ask(b.id, want)
    const { reply } = await a.event('reply', (event) => event.id === id)
    expect(reply).toEqual(block(new Uint8Array([7])))
  }
  await ask()
  const sentBefore = a.bytes.sent
  const places = Array.from({ length: 20 }, (_, place) => place)
  for (const place of places) a.ask(b.id, holds(place))
  await ask()
  const heard = () => b.of('request').flatMap(({ request }) => placesOf(request))
  await b.until('all notices', () => heard().length === places.length)
  expect(heard()).toEqual(places)
  // Twenty notices and a request: a stream opened for each would cost 150 bytes more.
  expect(a.bytes.sent - sentBefore).toBeLessThan(21 * 250)
})

test('more requests than streams wait for one another, and more than may wait are refused', async () => {
  const limits = { maxStreams: { admit: 1, sync: 1, blocks: 1, publish: 1, bridge: 1 }, maxQueuedRequests: 1 }
  const [a, b] = await pair({ limits })
  const [first, second, third] = [a.ask(b.id, want), a.ask(b.id, want), a.ask(b.id, want)]
  expect(await a.event('requestFailed')).toEqual({ kind: 'requestFailed', id: third, code: 'LIMIT_STREAMS' })
  const asked = await b.event('request')
  expect(b.of('request')).toHaveLength(1)
  b.onRequest = ({ id }) => b.transport.replyBlock(id, undefined)
  b.transport.replyBlock(asked.id, undefined)
  await a.event('reply', ({ id }) => id === second)
  expect(a.of('reply').map(({ id }) => id)).toEqual([first, second])
})

test('a run of replies comes in order, and the request ends with the last', async () => {
  const [a, b] = await pair()
  b.onRequest = ({ id }) => {
    replyTo(b, id, { protocol: 'sync', message: envelopes(1, true) })
    replyTo(b, id, { protocol: 'sync', message: envelopes(2, true) })
    setImmediate(() => replyTo(b, id, { protocol: 'sync', message: envelopes(3, false) }))
  }
  const id = a.ask(b.id, sync)
  await a.until('three replies', () => a.of('reply').length === 3)
  const markers = a.of('reply').map((event) => {
    expect(event.id).toBe(id)
    return event.reply.message.type === 'envelopes' ? event.reply.message.envelopes[0]?.[0] : undefined
  })
  expect(markers).toEqual([1, 2, 3])
  const again = a.ask(b.id, sync)
  await a.until('three more', () => a.of('reply').filter((event) => event.id === again).length === 3)
})

test('a run longer than its bound ends the request', async () => {
  const [a, b] = await pair({ limits: { maxSyncRunBytes: 2_500 } })
  b.onRequest = ({ id }) => {
    for (const more of [true, true, false]) replyTo(b, id, { protocol: 'sync', message: envelopes(1, more) })
  }
  const id = a.ask(b.id, sync)
  const failed = await a.event('requestFailed')
  expect(failed).toEqual({ kind: 'requestFailed', id, code: 'LIMIT_BYTES', alive: true })
  expect(a.of('misbehaved')).toMatchObject([{ peer: b.id, code: 'LIMIT_BYTES' }])
  expect(a.of('reply')).toHaveLength(2)
})

test.each([
  { what: 'a request', own: sync },
  { what: 'a notice', own: holds(1, LIMITS.maxBlockMessageBytes) },
])('$what of our own that is too long is told, and not held against the peer', async ({ own }) => {
  const [a, b] = await pair({ limits: { maxSyncMessageBytes: 10 } })
  a.ask(b.id, own)
  await a.until('told', () => a.notes.some(({ code }) => code === 'INTERNAL'))
  expect(a.notes).toMatchObject([{ level: 'error', code: 'INTERNAL', peer: b.id }])
  expect([a.of('misbehaved'), b.of('request')]).toEqual([[], []])
})

// Older builds filled the bound with envelopes alone, so that what surrounds them came on top.
test('a run that holds 1 MiB of envelopes is read to its end', async () => {
  const [a, b] = await pair()
  const full = Array.from({ length: Math.floor(LIMITS.maxSyncRunBytes / 1_000) }, () => new Uint8Array(1_000))
  const parts = intoMessages(full, LIMITS)
  b.onRequest = ({ id }) => {
    for (const [at, part] of parts.entries()) {
      const message = { type: 'envelopes', envelopes: part, lacks: [], more: at < parts.length - 1 } as const
      replyTo(b, id, { protocol: 'sync', message })
    }
  }
  a.ask(b.id, sync)
  await a.until('an end', () => a.of('requestFailed').length > 0 || a.of('reply').length === parts.length)
  expect(a.of('requestFailed')).toEqual([])
  expect(a.of('misbehaved')).toEqual([])
  expect(a.of('reply')).toHaveLength(parts.length)
})

test('no reply in time fails the request, and the late reply is not taken for the answer to the next', async () => {
  const [a, b] = await pair()
  const slow = a.ask(b.id, want, 1_000)
  const asked = await b.event('request')
  const failed = await a.event('requestFailed')
  expect(failed).toEqual({ kind: 'requestFailed', id: slow, code: 'NET_TIMEOUT', alive: true })
  b.transport.replyBlock(asked.id, new Uint8Array([1]))
  b.onRequest = ({ id }) => b.transport.replyBlock(id, new Uint8Array([2]))
  const next = a.ask(b.id, want)
  expect((await a.event('reply', ({ id }) => id === next)).reply).toEqual(block(new Uint8Array([2])))
  expect(a.of('reply')).toHaveLength(1)
})

test('a request that fails says whether anything came of the peer meanwhile', async () => {
  const [a, b] = await pair()
  const answered = async () => {
    b.onRequest = ({ id }) => b.transport.replyBlock(id, new Uint8Array([1]))
    const first = a.ask(b.id, want)
    await a.event('reply', ({ id }) => id === first)
    b.onRequest = () => {}
  }
  const failure = async (timeoutMs: number) => {
    const asked = a.ask(b.id, want, timeoutMs)
    return await a.event('requestFailed', ({ id }) => id === asked)
  }
  // after an answer the stream stands, so that nothing comes, but for what gossip has to say
  await answered()
  let failed = await failure(100)
  for (let again = 0; failed.alive && again < 20; again += 1) {
    await answered()
    failed = await failure(100)
  }
  expect('alive' in failed).toBe(false)
  const late = failure(1_000)
  b.ask(a.id, want)
  expect(await late).toMatchObject({ code: 'NET_TIMEOUT', alive: true })
})

test('a request to nobody, and those whose connection ends, under way or waiting, fail at once', async () => {
  const [a, b] = await pair({
    limits: { maxStreams: { admit: 1, sync: 1, blocks: 1, publish: 1, bridge: 1 } },
  })
  const c = await node()
  const nobody = a.ask(c.id, want)
  await a.event('requestFailed', ({ id, code }) => id === nobody && code === 'NET_UNREACHABLE')
  const pending = a.ask(b.id, want, 60_000)
  const waiting = a.ask(b.id, want, 60_000)
  await b.event('request')
  b.transport.perform({ kind: 'hangUp', peer: a.id, code: 'done' })
  await a.event('requestFailed', ({ id, code }) => id === pending && code === 'NET_UNREACHABLE')
  await a.event('requestFailed', ({ id, code }) => id === waiting && code === 'NET_UNREACHABLE')
  await a.event('disconnected')
})

async function hostile(b: Scripted): Promise<RawPeer> {
  const raw = keep(await rawPeer())
  await raw.dial(b.address)
  await b.event('connected', ({ peer }) => peer === raw.id)
  return raw
}

/** The code in the refusal that ends the stream. */
async function refusal(stream: Stream): Promise<string> {
  const bytes = (await lpStream(stream).read({ signal: AbortSignal.timeout(REPLY_MS) })).subarray()
  return (
    /LIMIT_BYTES|CODEC_MALFORMED|LIMIT_TIMEOUT/.exec(Buffer.from(bytes).toString('latin1'))?.[0] ?? 'none'
  )
}

const DEADLINES = {
  admitDeadlineMs: 300,
  syncDeadlineMs: 300,
  blockDeadlineMs: 300,
  publishDeadlineMs: 300,
  bridgeDeadlineMs: 300,
}

/** A peer that the node takes every protocol of, as it is admitted. */
async function insider(b: Scripted): Promise<RawPeer> {
  const raw = await hostile(b)
  b.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  return raw
}
const lengthOf = (bytes: number): Uint8Array => frame([new Uint8Array(bytes)], bytes).slice(0, 3)

describe.each(PROTOCOLS)('%s', (protocol) => {
  const most = maxRequestBytes(protocol, LIMITS)

  test.each([
    ['a length of 4 GiB', 'LIMIT_BYTES', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])],
    ['a length without end', 'LIMIT_BYTES', new Uint8Array(64).fill(0xff)],
    ['one byte more than allowed', 'LIMIT_BYTES', lengthOf(most + 1)],
    ['as much as allowed, never sent', 'LIMIT_TIMEOUT', lengthOf(most)],
    ['no dag-cbor', 'CODEC_MALFORMED', Buffer.from([2, 0xff, 0xff])],
    ['as much as allowed, of nothing', 'CODEC_MALFORMED', frame([new Uint8Array(most)], most).subarray()],
    ['an unfinished message', 'LIMIT_TIMEOUT', Buffer.from([10, 1, 2])],
  ])('%s is refused with %s, counted, told to the core, and ends the stream', async (_what, code, bytes) => {
    const b = await node({ limits: code === 'LIMIT_TIMEOUT' ? DEADLINES : {} })
    const raw = await insider(b)
    const stream = await raw.stream(PROTOCOL_IDS[protocol])
    stream.send(bytes)
    expect(await refusal(stream)).toBe(code)
    expect(await b.event('misbehaved')).toEqual({ kind: 'misbehaved', peer: raw.id, code })
    expect(b.refused).toEqual([code])
    expect(b.of('request')).toEqual([])
    await b.until('stream ended', () => stream.status !== 'open')
  })

  test('one byte a second does not renew the deadline of a message', async () => {
    const b = await node({ limits: DEADLINES })
    const raw = await insider(b)
    const stream = await raw.stream(PROTOCOL_IDS[protocol])
    // no clock: what a host that stands still misses of them is not made up for
    let drips = 0
    stream.send(Buffer.from([100]))
    const drip = setInterval(() => {
      drips += 1
      if (stream.writeStatus === 'writable') stream.send(Buffer.from([0]))
    }, 50)
    expect(await b.event('misbehaved')).toMatchObject({ peer: raw.id, code: 'LIMIT_TIMEOUT' })
    clearInterval(drip)
    // six are due
    expect(drips).toBeLessThan(20)
  })
})

test('what a newer build asks is answered with its code, and the stream goes on', async () => {
  const b = await node()
  const raw = await hostile(b)
  b.onRequest = ({ id }) => replyTo(b, id, { protocol: 'admit', message: { type: 'noted' } })
  const messages = lpStream(await raw.stream(PROTOCOL_IDS.admit))
  const read = async () =>
    decodeReply('admit', (await messages.read({ signal: AbortSignal.timeout(REPLY_MS) })).subarray(), LIMITS)
      .message
  await messages.write(encode({ v: 1, type: 'tomorrow' }))
  expect(await read()).toMatchObject({ type: 'refused', code: 'CODEC_UNSUPPORTED' })
  await messages.write(raw.encode(open))
  expect(await read()).toEqual({ type: 'noted' })
  expect(b.of('misbehaved')).toEqual([])
})

test('each fault is counted and told, and logged once a connection', async () => {
  const b = await node()
  const raw = await hostile(b)
  for (const round of [1, 2]) {
    const stream = await raw.stream(PROTOCOL_IDS.admit)
    stream.send(Buffer.from([2, 0xff, 0xff]))
    await b.until('fault', () => b.of('misbehaved').length === round)
    await b.until('stream ended', () => stream.status !== 'open')
  }
  expect(b.refused).toEqual(['CODEC_MALFORMED', 'CODEC_MALFORMED'])
  expect(b.notes).toHaveLength(1)
})

test('the largest message allowed passes', async () => {
  const [a, b] = await pair()
  const whole = new Uint8Array(256 * 1024).fill(7)
  let isWritten: Promise<boolean> | undefined
  b.onRequest = ({ id }) => {
    isWritten = b.transport.replyBlock(id, whole)
  }
  const id = a.ask(b.id, want)
  expect((await a.event('reply', (event) => event.id === id)).reply).toEqual(block(whole))
  expect(await isWritten).toBe(true)
  expect(await b.transport.replyBlock(id, whole)).toBe(false)
})

test('a second stream of a protocol that allows one is reset, and the first still served', async () => {
  const b = await node()
  const raw = await hostile(b)
  b.onRequest = ({ id }) => replyTo(b, id, { protocol: 'admit', message: { type: 'noted' } })
  const first = await raw.stream(PROTOCOL_IDS.admit)
  const second = await raw.stream(PROTOCOL_IDS.admit)
  await b.until('second reset', () => second.status === 'reset')
  const messages = lpStream(first)
  await messages.write(raw.encode(open))
  const reply = (await messages.read({ signal: AbortSignal.timeout(REPLY_MS) })).subarray()
  expect(Buffer.from(reply)).toEqual(Buffer.from(encodeReply('admit', { type: 'noted' })))
})

test.each([
  ['a malformed reply', 'CODEC_MALFORMED', Buffer.from([2, 0xff, 0xff])],
  ['a reply of endless length', 'LIMIT_BYTES', new Uint8Array(64).fill(0xff)],
])('%s fails the request with %s and is held against the peer', async (_what, code, bytes) => {
  const a = await node()
  const raw = keep(await rawPeer({ listen: true }))
  await raw.answer(PROTOCOL_IDS.admit, bytes)
  a.dial(raw)
  await a.event('connected')
  const id = a.ask(raw.id, open)
  expect(await a.event('requestFailed')).toEqual({ kind: 'requestFailed', id, code, alive: true })
  expect(a.of('misbehaved')).toMatchObject([{ peer: raw.id, code }])
})

test('a peer that does not speak the protocol', async () => {
  const a = await node()
  const raw = keep(await rawPeer({ listen: true }))
  a.dial(raw)
  await a.event('connected')
  const id = a.ask(raw.id, open)
  const failed = await a.event('requestFailed')
  expect(failed).toEqual({ kind: 'requestFailed', id, code: 'NET_PROTOCOL', alive: true })
})
