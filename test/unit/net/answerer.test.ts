import type { Connection, Stream } from '@libp2p/interface'
import { multiaddrConnectionPair, streamPair } from '@libp2p/utils'
import { expect, test, vi } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { encodeRequest } from '../../../src/codec/messages.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { Answerer, type AnswererOptions } from '../../../src/net/answerer.ts'
import { frame } from '../../../src/net/framing.ts'
import { boundedYamux } from '../../../src/net/muxer.ts'
import { PROTOCOL_IDS, protocolRules } from '../../../src/net/protocols.ts'
import { Unread } from '../../../src/net/unread.ts'
import type { TransportEvent } from '../../../src/runtime/ports.ts'
import { opened, reset, sent, updated } from '../../integration/net/yamux-frames.ts'

test('what a peer said and left behind is not laid at its door once it has gone', async () => {
  const [sender, receiver] = await streamPair()
  const turns: (() => void)[] = []
  const misconduct = { report: vi.fn() }
  let isHere = true
  const answerer = new Answerer({
    rules: protocolRules(LIMITS),
    limits: LIMITS,
    pace: { slice: () => new Promise<void>((resolve) => turns.push(resolve)) },
    unread: { watch: () => () => {} },
    misconduct,
    isCurrent: () => isHere,
  } as unknown as AnswererOptions)
  const served = answerer.handler('admit')(receiver, { remotePeer: 'peer' } as unknown as Connection)
  sender.send(frame([Uint8Array.of(1, 2, 3)], 100))
  await expect.poll(() => turns.length).toBe(1)
  isHere = false
  turns[0]?.()
  await served
  expect(misconduct.report).not.toHaveBeenCalled()
})

test('what waits beyond the rate is not worked off once the connection has closed', async () => {
  const [sender, receiver] = await streamPair()
  const limits = { ...LIMITS, requestsPerSecond: 0, requestsBurst: 1 }
  const sink = vi.fn(({ id }: { readonly id: number }) => {
    const reply = { protocol: 'admit', message: { type: 'noted' } } as const
    queueMicrotask(() => answerer.reply({ kind: 'reply', id, reply }))
  })
  const answerer: Answerer = new Answerer({
    rules: protocolRules(limits),
    limits,
    pace: { slice: async () => {} },
    unread: { watch: () => () => {} },
    misconduct: { report: vi.fn() },
    sink,
    isCurrent: () => true,
  } as unknown as AnswererOptions)
  const connection = Object.assign(new EventTarget(), { remotePeer: 'peer', status: 'open' })
  const listens = vi.spyOn(connection, 'addEventListener')
  const served = answerer.handler('admit')(receiver, connection as unknown as Connection)
  const request = encodeRequest('admit', { type: 'refuse', code: 'ADMIT_REFUSED', text: 'no' })
  sender.send(frame([request, request], 1_000))
  await expect.poll(() => listens.mock.calls.length).toBe(1)
  connection.dispatchEvent(new Event('close'))
  await served
  expect(sink).toHaveBeenCalledOnce()
})

test('whoever asks only what this build does not know is no publisher, of whom the core does not hear either', async () => {
  const [sender, receiver] = await streamPair()
  const publishes: boolean[] = []
  const connection = { remotePeer: 'peer' } as unknown as Connection
  const answerer: Answerer = new Answerer({
    rules: protocolRules(LIMITS),
    limits: LIMITS,
    pace: { slice: async () => void publishes.push(answerer.isPublishing(connection)) },
    unread: { watch: () => () => {} },
    misconduct: { report: vi.fn() },
    sink: (event: TransportEvent) => {
      if (event.kind !== 'request') return
      const reply = { protocol: 'publish', message: { type: 'channels', channels: [], more: false } } as const
      queueMicrotask(() => answerer.reply({ kind: 'reply', id: event.id, reply }))
    },
    isCurrent: () => true,
  } as unknown as AnswererOptions)
  void answerer.handler('publish')(receiver, connection)
  const newer = encode({ v: 1, type: 'newer' })
  const known = encodeRequest('publish', { type: 'channels' })
  sender.send(frame([newer, known, known], 1_000))
  await expect.poll(() => publishes).toEqual([false, false, true])
})

test.each([1, 2, 30])(
  'a message of which %i bytes came with the one before has to be whole in time, as any other',
  async (cameWith) => {
    const [sender, receiver] = await streamPair()
    const rules = protocolRules(LIMITS)
    const misconduct = { report: vi.fn() }
    const answerer = new Answerer({
      rules: { ...rules, admit: { ...rules.admit, messageDeadlineMs: 20 } },
      limits: LIMITS,
      pace: { slice: async () => {} },
      unread: { watch: () => () => {} },
      misconduct,
      sink: (event: TransportEvent) => {
        if (event.kind !== 'request') return
        const reply = { protocol: 'admit', message: { type: 'noted' } } as const
        queueMicrotask(() => answerer.reply({ kind: 'reply', id: event.id, reply }))
      },
      isCurrent: () => true,
    } as unknown as AnswererOptions)
    const message = { type: 'refuse', code: 'ADMIT_REFUSED', text: 'x'.repeat(200) } as const
    const whole = frame([encodeRequest('admit', message)], 1_000).subarray()
    const served = answerer.handler('admit')(receiver, { remotePeer: 'peer' } as unknown as Connection)
    sender.send(Buffer.concat([whole, whole.subarray(0, cameWith)]))
    await expect.poll(() => misconduct.report.mock.calls).toMatchObject([['peer', { code: 'LIMIT_TIMEOUT' }]])
    await served
  },
)

test('a run of replies is written, however long each of them may take', async () => {
  const [sender, receiver] = await streamPair()
  const limits = { ...LIMITS, blockDeadlineMs: 2 ** 31 - 1 }
  const ends: Promise<boolean>[] = []
  const answerer = new Answerer({
    rules: protocolRules(limits),
    limits,
    gate: { opened: async () => true },
    pace: { slice: async () => {} },
    unread: { watch: () => () => {} },
    misconduct: { report: () => {} },
    sink: (event: TransportEvent) => {
      if (event.kind !== 'request') return
      ends.push(answerer.ended(event.id))
      for (const more of [true, true, false]) {
        const message = { type: 'envelopes', envelopes: [], lacks: [], more } as const
        answerer.reply({ kind: 'reply', id: event.id, reply: { protocol: 'sync', message } })
      }
    },
    isCurrent: () => true,
  } as unknown as AnswererOptions)
  void answerer.handler('sync')(receiver, { remotePeer: 'peer' } as unknown as Connection)
  sender.send(frame([encodeRequest('sync', { type: 'push', envelopes: [] })], 1_000))
  await expect.poll(() => ends.length).toBe(1)
  expect(await ends[0]).toBe(true)
})

/** An answerer on a stream of yamux, what it hears given by hand; whatever is asked, a whole block is the answer. */
function serving(
  blockDeadlineMs: number,
  options: Parameters<typeof multiaddrConnectionPair>[0],
  messageDeadlineMs = blockDeadlineMs,
) {
  const [, connection] = multiaddrConnectionPair(options)
  const limits = { ...LIMITS, blockDeadlineMs }
  const rules = protocolRules(limits)
  const unread = new Unread(limits, { note: () => {} })
  const muxer = boundedYamux(unread, limits)().createStreamMuxer(connection)
  const block = { protocol: 'blocks', message: { type: 'block', bytes: new Uint8Array(262_144) } } as const
  let asked = 0
  const ends: Promise<boolean>[] = []
  const answerer = new Answerer({
    rules: { ...rules, blocks: { ...rules.blocks, messageDeadlineMs } },
    limits,
    gate: { opened: async () => true },
    pace: { slice: async () => {} },
    unread,
    misconduct: { report: () => {} },
    sink: (event: TransportEvent) => {
      if (event.kind !== 'request') return
      asked += 1
      ends.push(answerer.ended(event.id))
      queueMicrotask(() => answerer.reply({ kind: 'reply', id: event.id, reply: block }))
    },
    isCurrent: () => true,
  } as unknown as AnswererOptions)
  let stream: Stream | undefined
  muxer.addEventListener('stream', ({ detail }) => {
    stream = detail
    detail.protocol = PROTOCOL_IDS.blocks
    void answerer.handler('blocks')(detail, { remotePeer: 'peer' } as unknown as Connection)
  })
  const hear = (bytes: Uint8Array) => (muxer as unknown as { onData(bytes: Uint8Array): void }).onData(bytes)
  hear(opened(0))
  if (stream === undefined) throw new Error('the stream is taken up at once')
  const message = { type: 'want', digest: 'd'.repeat(64) as Digest } as const
  const wanted = frame([encodeRequest('blocks', message)], 1_000).subarray()
  const want = (at = 0) => hear(sent(at, wanted))
  return { hear, want, asked: () => asked, ends, stream, connection }
}

test.each([
  { what: 'its window has room for a byte', more: 1, connection: {} },
  { what: 'its window has room for all', more: 2 ** 20, connection: { capacity: 1, delay: 60_000 } },
])('who takes no answers has one held for it, however often it says that $what', async (one) => {
  const asking = async (blockDeadlineMs: number) => {
    const peer = serving(blockDeadlineMs, one.connection)
    let most = 0
    for (let round = 0; round < 20; round += 1) {
      peer.want()
      await new Promise(setImmediate)
      peer.hear(updated(0, one.more))
      await new Promise(setImmediate)
      most = Math.max(most, peer.stream.writeBufferLength + peer.connection.writeBufferLength)
    }
    return { peer, most }
  }
  const { peer, most } = await asking(60_000)
  // the second, once the first has left the stream
  expect([peer.stream.status, peer.asked() <= 2, most < 2 * LIMITS.maxBlockMessageBytes]).toEqual([
    'open',
    true,
    true,
  ])
  const { peer: late } = await asking(2_000)
  await expect.poll(() => late.stream.status, { timeout: 20_000 }).toBe('aborted')
  expect(late.asked()).toBeLessThanOrEqual(2)
  expect(await late.ends.at(-1)).toBe(false)
})

test('who takes nothing has no answers held beyond its streams, however many it opens and resets', async () => {
  const peer = serving(60_000, { capacity: 1, delay: 60_000 })
  for (let at = 1; at <= 40; at += 1) {
    peer.hear(opened(at))
    peer.want(at)
    await new Promise(setImmediate)
    peer.hear(updated(at, 2 ** 20))
    await new Promise(setImmediate)
    peer.hear(reset(at))
  }
  expect(peer.asked()).toBe(40)
  expect(peer.connection.writeBufferLength).toBeLessThan(2 ** 20)
})

test('room in a window that comes while the connection is full is used once that has drained', async () => {
  const peer = serving(10_000, { capacity: 1, delay: 20 })
  peer.want()
  peer.want()
  await new Promise(setImmediate)
  expect([peer.connection.writableNeedsDrain, peer.stream.writeBufferLength > 0]).toEqual([true, true])
  peer.hear(updated(0, 2 ** 20))
  await expect.poll(peer.asked).toBe(2)
})

test('an update of a window costs one frame, however little it has room for', async () => {
  const peer = serving(10_000, { capacity: 1_000 })
  peer.want()
  // of a block, what surrounds it: the rest has gone
  await expect.poll(() => peer.stream.writeBufferLength).toBeGreaterThan(28)
  const [send, left] = [vi.spyOn(peer.connection, 'send'), peer.stream.writeBufferLength]
  let room = 0
  for (const [count, more] of [13, 1, 14].entries()) {
    peer.hear(updated(0, more))
    room += more
    await new Promise(setImmediate)
    expect([send.mock.calls.length, left - peer.stream.writeBufferLength]).toEqual([count + 1, room])
  }
})

test('an answer is given up no sooner than its asker does, however soon a message of the protocol has to be whole', async () => {
  const peer = serving(10_000, { capacity: 1, delay: 20 }, 20)
  peer.hear(updated(0, 2 ** 20))
  peer.want()
  peer.want()
  // the second, once all five parts of the first have gone over the link
  await expect.poll(peer.asked).toBe(2)
})
