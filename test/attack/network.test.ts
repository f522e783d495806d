/** Floods by peers and strangers: what they cost is bounded, and others are served meanwhile. */
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import { decode, encode } from '@ipld/dag-cbor'
import type { Stream } from '@libp2p/interface'
import { afterEach, expect, test } from 'vitest'
import { LIMITS, type Limits } from '../../src/limits.ts'
import { frame } from '../../src/net/framing.ts'
import { PROTOCOL_IDS, PROTOCOLS } from '../../src/net/protocols.ts'
import { type RawPeer, rawPeer } from '../integration/net/raw-peer.ts'
import { connect, open, Scripted, want } from '../integration/net/scripted.ts'
import {
  many,
  opened,
  openedAndReset,
  pinged,
  sent,
  sentOn,
  updated,
} from '../integration/net/yamux-frames.ts'
import { heapMib } from './kit/heap.ts'

/** Of the fleet of `Scripted`. */
const TOPIC = '/confmesh/f1ee7000/default/releases'

const running: { stop(): Promise<void> }[] = []
const keep = <T extends { stop(): Promise<void> }>(started: T): T => {
  running.push(started)
  return started
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
})

/** A node that notes whatever is asked, and a peer without our code connected to it. */
async function attacked(limits: Partial<Limits> = {}): Promise<[Scripted, RawPeer]> {
  const node = keep(await Scripted.start({ limits }))
  node.onRequest = ({ id }) =>
    node.transport.perform({ kind: 'reply', id, reply: { protocol: 'admit', message: { type: 'noted' } } })
  const raw = keep(await rawPeer())
  await raw.dial(node.address)
  await node.event('connected')
  return [node, raw]
}

/** Somebody else is answered. */
async function serves(node: Scripted): Promise<void> {
  const other = keep(await Scripted.start())
  await connect(other, node)
  const id = other.ask(node.id, open)
  await other.event('reply', (event) => event.id === id)
}

test('10⁵ subscriptions of an admitted peer leave no topic behind, then or after it has gone', async () => {
  const [node, raw] = await attacked()
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  const stream = await raw.stream('/meshsub/1.1.0')
  const before = heapMib()
  for (let round = 0; round < 100; round += 1) {
    const subscriptions = Array.from({ length: 1_000 }, (_, index) => ({
      subscribe: true,
      topic: `/flood/${round}/${index}`,
    }))
    stream.send(frame([RPC.encode({ subscriptions, messages: [] })], 1_000_000))
  }
  // the last of them names a real topic: once that is known, all before it have been read
  stream.send(
    frame([RPC.encode({ subscriptions: [{ subscribe: true, topic: TOPIC }], messages: [] })], 1_000),
  )
  await node.until('last one read', () => node.transport.subscribers('releases').includes(raw.id))
  expect(node.transport.topicCount()).toBe(1)
  // each would be a string and a set: 20 MiB and more of them
  expect(heapMib() - before).toBeLessThan(5)
  await serves(node)
  await raw.stop()
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  await node.until('forgotten', () => node.transport.topicCount() === 0)
  expect(heapMib() - before).toBeLessThan(5)
})

test('an RPC with more in it than an honest one has is not looked at', async () => {
  const [node, raw] = await attacked()
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  const stream = await raw.stream('/meshsub/1.1.0')
  const said = (...topics: string[]) =>
    RPC.encode({ subscriptions: topics.map((topic) => ({ subscribe: true, topic })), messages: [] })
  const invented = Array.from({ length: 1_000 }, (_, index) => `/flood/${index}`)
  stream.send(frame([said(TOPIC, ...invented)], 1_000_000))
  stream.send(frame([said(TOPIC.replace('releases', 'control'))], 1_000))
  await node.until('last one read', () => node.transport.subscribers('control').includes(raw.id))
  expect(node.transport.subscribers('releases')).toEqual([])
  await serves(node)
})

test('gossip faster than it is worked off stays on the side of its sender', async () => {
  const [node, raw] = await attacked({ gossipPerSecond: 10, gossipBurst: 10 })
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  const stream = await raw.stream('/meshsub/1.1.0')
  const data = (round: number, at: number) => Buffer.alloc(2_000, `${round}-${at} `)
  for (let round = 0; round < 100; round += 1) {
    const messages = Array.from({ length: 100 }, (_, at) => ({ topic: TOPIC, data: data(round, at) }))
    stream.send(frame([RPC.encode({ subscriptions: [], messages })], 1_000_000))
  }
  await node.until('beyond the burst', () => node.of('gossip').length > 25)
  // 20 MB in all: an RPC of 200 KB is worked off, two windows of 512 KiB are on their way or held
  expect(stream.writeBufferLength).toBeGreaterThan(18_000_000)
  expect(stream.status).toBe('open')
  await serves(node)
})

test('of gossip on streams opened anew one RPC is in work, and the next is read once that is through', async () => {
  const [node, raw] = await attacked({ gossipPerSecond: 20, gossipBurst: 10 })
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  const opened: Stream[] = []
  for (const name of ['a', 'b', 'c']) {
    // there may be two of them at a time
    if (name === 'c') opened[1]?.abort(new Error('given up'))
    const data = (at: number) => Buffer.alloc(20_000, `${name}-${at} `)
    const messages = Array.from({ length: 60 }, (_, at) => ({ topic: TOPIC, data: data(at) }))
    const stream = await raw.stream('/meshsub/1.1.0')
    stream.send(frame([RPC.encode({ subscriptions: [], messages })], 2_000_000))
    opened.push(stream)
    // the first one is in work when others come
    await node.until('first', () => node.of('gossip').length > 0)
  }
  await node.until('last one read', () => node.of('gossip').length === 120)
  const said = node.of('gossip').map(({ bytes }) => new TextDecoder().decode(bytes.subarray(0, 1)))
  expect(said).toEqual([...Array(60).fill('a'), ...Array(60).fill('c')])
  await serves(node)
})

test('RPCs without anything in them are not read faster than a peer may send them', async () => {
  const [node, raw] = await attacked({ gossipRpcsPerSecond: 1_000, gossipRpcsBurst: 100 })
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  const stream = await raw.stream('/meshsub/1.1.0')
  const last = RPC.encode({ subscriptions: [{ subscribe: true, topic: TOPIC }], messages: [] })
  const sinceMs = performance.now()
  stream.send(frame([...Array.from({ length: 1_000 }, () => new Uint8Array()), last], 1_000))
  await node.until('last one read', () => node.transport.subscribers('releases').includes(raw.id))
  expect(performance.now() - sinceMs).toBeGreaterThan(850)
})

test.each(PROTOCOLS)(
  'streams of %s opened without end are reset beyond its limit, and others are served',
  async (protocol) => {
    const [node, raw] = await attacked()
    const streams = await Promise.all(Array.from({ length: 40 }, () => raw.stream(PROTOCOL_IDS[protocol])))
    const limit = { admit: 1, sync: 2, blocks: 8, publish: 3, bridge: 7 }[protocol]
    await node.until('resets', () => streams.filter(({ status }) => status === 'open').length <= limit)
    await serves(node)
  },
)

test('more streams than the connection may have: it ends, or they fail, and others are served', async () => {
  const [node, raw] = await attacked()
  const opened = await Promise.allSettled(Array.from({ length: 200 }, () => raw.stream(PROTOCOL_IDS.blocks)))
  const open = () =>
    opened.filter((each) => each.status === 'fulfilled' && each.value.status === 'open').length
  await node.until('bounded', () => open() <= 8)
  await serves(node)
})

test('streams are not taken up faster than a peer may open them', async () => {
  const [node, raw] = await attacked({ streamsPerSecond: 10, streamsBurst: 10 })
  const sinceMs = performance.now()
  const streams = await Promise.all(Array.from({ length: 30 }, () => raw.stream(PROTOCOL_IDS.admit)))
  // whatever is taken up beyond the first is reset; two seconds' worth are beyond the burst
  await node.until('resets', () => streams.filter(({ status }) => status === 'open').length <= 1)
  expect(performance.now() - sinceMs).toBeGreaterThan(1_800)
  await serves(node)
})

/** What stands before a message of this length. */
const ofLength = (bytes: number): Uint8Array => frame([new Uint8Array(bytes)], bytes).subarray(0, -bytes)

test('streams opened and reset in one breath leave nothing behind, and end the connection', async () => {
  const [node, raw] = await attacked()
  const before = heapMib()
  raw.frames(many(10_000, openedAndReset))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  // 7 KB each while anything holds them
  expect(heapMib() - before).toBeLessThan(10)
  expect(node.of('misbehaved')).toEqual([{ kind: 'misbehaved', peer: raw.id, code: 'LIMIT_STREAMS' }])
  expect(node.refused).toEqual(['LIMIT_STREAMS'])
  await serves(node)
})

test.each([
  ['pings', pinged],
  ['updates of no window', () => updated(0)],
  ['frames of nothing', () => sent(0, Buffer.of())],
])('%s without end, on one connection: it ends, and others are served', async (_what, frame) => {
  const [node, raw] = await attacked()
  raw.frames(Buffer.concat([opened(0), many(20_000, frame)]))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.of('misbehaved')).toHaveLength(1)
  await serves(node)
})

test('a message in frames of one byte ends the connection, and others are served', async () => {
  const [node, raw] = await attacked()
  const stream = Number((await raw.stream(PROTOCOL_IDS.publish)).id)
  raw.frames(
    Buffer.concat([sentOn(stream, ofLength(200_000)), many(100_000, () => sentOn(stream, Buffer.of(0)))]),
  )
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.of('misbehaved')).toEqual([{ kind: 'misbehaved', peer: raw.id, code: 'LIMIT_RATE' }])
  await serves(node)
})

test('a frame that announces more than a window ends the connection before that comes', async () => {
  const [node, raw] = await attacked()
  const frame = sent(0, Buffer.of())
  frame.writeUInt32BE(0xffffffff, 8)
  raw.frames(frame)
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.of('misbehaved')).toEqual([{ kind: 'misbehaved', peer: raw.id, code: 'LIMIT_BYTES' }])
  await serves(node)
})

test('of a frame begun and not ended no more is held than of messages', async () => {
  const [node, raw] = await attacked({ maxUnreadBytes: 300_000 })
  const frame = sent(0, Buffer.alloc(500_000))
  raw.frames(frame.subarray(0, 400_000))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.notes.map(({ code }) => code)).toContain('LIMIT_BYTES')
  await serves(node)
})

test.each([
  ['nothing', Array<Uint8Array>(20_000).fill(Uint8Array.of()), 'CODEC_MALFORMED'],
  ['one byte', Array.from(sent(0, Buffer.alloc(20_000)), (byte) => Uint8Array.of(byte)), 'LIMIT_RATE'],
] as const)('messages of noise with %s in them end the connection', async (_what, messages, code) => {
  const [node, raw] = await attacked()
  raw.secured(messages)
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.of('misbehaved')).toEqual([{ kind: 'misbehaved', peer: raw.id, code }])
  await serves(node)
})

test('proposals of protocols without end: the connection ends, and others are served', async () => {
  const [node, raw] = await attacked()
  const proposals = Buffer.alloc(100_000, Buffer.from([1, 0x0a]))
  raw.frames(Buffer.concat([opened(0), sent(0, proposals)]))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.of('misbehaved')).toEqual([{ kind: 'misbehaved', peer: raw.id, code: 'LIMIT_BYTES' }])
  await serves(node)
})

test('an echo that is asked for and not taken piles up here no further than a ping is long', async () => {
  const [node, raw] = await attacked()
  const stream = await raw.stream('/ipfs/ping/1.0.0')
  stream.pause()
  stream.send(new Uint8Array(64 * 2 ** 20))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.of('misbehaved')).toEqual([{ kind: 'misbehaved', peer: raw.id, code: 'LIMIT_BYTES' }])
  expect(node.bytes.received).toBeLessThan(2_000_000)
  await serves(node)
})

test('a burst of connections by strangers is bounded, and an admitted peer keeps its own', async () => {
  const node = keep(await Scripted.start({ limits: { maxUnadmittedPerAddress: 5 } }))
  const friend = keep(await Scripted.start())
  await connect(friend, node)
  node.transport.perform({ kind: 'admit', peer: friend.id, region: 'all' })
  const strangers = await Promise.all(Array.from({ length: 20 }, () => rawPeer()))
  strangers.forEach(keep)
  const dialled = await Promise.allSettled(strangers.map((stranger) => stranger.dial(node.address)))
  await node.until('settled', () => node.of('connected').length === 6)
  const standing = () => strangers.filter((stranger) => stranger.connections() > 0).length
  await node.until('others closed', () => standing() === 5)
  expect(dialled).toHaveLength(20)
  expect(node.of('disconnected')).toEqual([])
  expect(node.refused.every((code) => code === 'LIMIT_STREAMS')).toBe(true)
})

test('what comes on a stream that nobody has taken up stays on the side of its sender', async () => {
  const [node, raw] = await attacked({ admitDeadlineMs: 30_000 })
  const stream = await raw.stream(PROTOCOL_IDS.sync)
  stream.send(new Uint8Array(4_000_000))
  await serves(node)
  // two windows of 256 KiB: one that each stream has, one that came with its answer
  expect(stream.writeBufferLength).toBeGreaterThan(3_400_000)
  expect(stream.status).toBe('open')
})

test('gossip that came before its sender was admitted is read once it is, however much it is', async () => {
  const [node, raw] = await attacked({ admitDeadlineMs: 30_000 })
  const stream = await raw.stream('/meshsub/1.1.0')
  const data = (at: number) => Buffer.alloc(10_000, `${at} `)
  for (let at = 0; at < 300; at += 1)
    stream.send(
      frame([RPC.encode({ subscriptions: [], messages: [{ topic: TOPIC, data: data(at) }] })], 20_000),
    )
  const last = RPC.encode({ subscriptions: [{ subscribe: true, topic: TOPIC }], messages: [] })
  stream.send(frame([last], 1_000))
  await serves(node)
  expect(stream.writeBufferLength).toBeGreaterThan(2_000_000)
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  await node.until('last one read', () => node.transport.subscribers('releases').includes(raw.id))
})

test('a message longer than the window that waited with its stream is whole once that is taken up', async () => {
  const [node, raw] = await attacked({ admitDeadlineMs: 30_000 })
  const stream = await raw.stream(PROTOCOL_IDS.blocks)
  // names that a build does not know are left out
  const long = encode({ ...decode<object>(raw.encode(want)), pad: new Uint8Array(262_800) })
  stream.send(frame([long], LIMITS.maxBlockMessageBytes))
  await serves(node)
  expect(stream.writeBufferLength).toBeGreaterThan(0)
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  await node.event('request', ({ request }) => request.protocol === 'blocks')
})

/** A part of a message that is longer. */
const part = (from: number, to: number): Uint8Array =>
  frame([new Uint8Array(262_144)], 262_144).subarray(from, to)

test('of messages begun and not ended no more is held than allowed: who holds most goes, others stay', async () => {
  const [node, raw] = await attacked({ maxUnreadBytes: 500_000 })
  const other = keep(await rawPeer())
  await other.dial(node.address)
  const small = await other.stream(PROTOCOL_IDS.publish)
  const large = await Promise.all([raw.stream(PROTOCOL_IDS.publish), raw.stream(PROTOCOL_IDS.publish)])
  for (const stream of [small, ...large]) stream.send(part(0, 10))
  // taken up by then: what comes now is read at once
  await serves(node)
  small.send(part(10, 100_000))
  for (const stream of large) stream.send(part(10, 240_000))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.notes.map(({ code }) => code)).toContain('LIMIT_BYTES')
  await serves(node)
  expect(small.status).toBe('open')
})

test('nor of answers begun and not ended', async () => {
  const [node, raw] = await attacked({ maxUnreadBytes: 150_000 })
  await raw.answer(PROTOCOL_IDS.blocks, part(0, 200_000))
  node.ask(raw.id, want, 60_000)
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  await serves(node)
})

test('nor of an RPC of gossip that is begun and not ended', async () => {
  const [node, raw] = await attacked({ maxUnreadBytes: 1_000_000 })
  node.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  const stream = await raw.stream('/meshsub/1.1.0')
  stream.send(frame([new Uint8Array(3_000_000)], 3_000_000).subarray(0, 2_500_000))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  expect(node.notes.map(({ code }) => code)).toContain('LIMIT_BYTES')
  await serves(node)
})

test('nor of what comes on streams that nobody has taken up', async () => {
  const [node, raw] = await attacked({ maxUnreadBytes: 400_000, admitDeadlineMs: 30_000 })
  for (const stream of await Promise.all([raw.stream(PROTOCOL_IDS.sync), raw.stream(PROTOCOL_IDS.sync)]))
    stream.send(part(0, 240_000))
  await node.event('disconnected', ({ peer }) => peer === raw.id)
  await serves(node)
})
