/** How long streams stand, counted where they come in. */
import type { Stream } from '@libp2p/interface'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { encodeReply } from '../../../src/codec/messages.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { AnyRequest, Protocol, SyncReply } from '../../../src/model/messages.ts'
import { Answerer } from '../../../src/net/answerer.ts'
import { frame } from '../../../src/net/framing.ts'
import { PROTOCOL_IDS } from '../../../src/net/protocols.ts'
import { rawPeer } from './raw-peer.ts'
import { joined, Scripted, type ScriptOptions, want } from './scripted.ts'

const running: { stop(): Promise<void> }[] = []
const keep = <T extends { stop(): Promise<void> }>(started: T): T => {
  running.push(started)
  return started
}

/** Streams as they come in, with whoever opened them. */
const opened: { readonly protocol: Protocol; readonly asker: string; readonly stream: Stream }[] = []
const streamsOf = (asker: Scripted, protocol: Protocol): Stream[] =>
  opened.filter((each) => each.asker === asker.id && each.protocol === protocol).map(({ stream }) => stream)

beforeEach(() => {
  const { handler } = Answerer.prototype
  vi.spyOn(Answerer.prototype, 'handler').mockImplementation(function (this: Answerer, protocol) {
    const serve = handler.call(this, protocol)
    return (stream, connection) => {
      opened.push({ protocol, asker: connection.remotePeer.toString(), stream })
      return serve(stream, connection)
    }
  })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
  opened.splice(0)
  vi.restoreAllMocks()
})

const comparison: AnyRequest = { protocol: 'sync', message: { type: 'push', envelopes: [] } }
const equal: SyncReply = { type: 'envelopes', envelopes: [], lacks: [], more: false }

/** Answers comparisons, and has no block. */
async function node(options?: ScriptOptions): Promise<Scripted> {
  const started = keep(await Scripted.start(options))
  started.onRequest = ({ id, request }) => {
    if (request.protocol === 'sync')
      started.transport.perform({ kind: 'reply', id, reply: { protocol: 'sync', message: equal } })
    else started.transport.replyBlock(id, undefined)
  }
  return started
}

async function asked(asker: Scripted, other: { readonly id: PeerId }, request: AnyRequest): Promise<void> {
  const id = asker.ask(other.id, request)
  const isOfIt = (event: { readonly id: number }) => event.id === id
  await asker.until(
    `an end of ${request.message.type}`,
    () => asker.of('reply').some(isOfIt) || asker.of('requestFailed').some(isOfIt),
  )
  expect(asker.of('requestFailed')).toEqual([])
}

/** More round trips than it takes to agree on a protocol. */
async function compared(asker: Scripted, other: { readonly id: PeerId }): Promise<void> {
  for (let round = 0; round < 6; round += 1) await asked(asker, other, comparison)
}

/** Waited for: libp2p writes what a peer speaks to disk before it gives a stream on, and no round trip waits for that. */
async function cameIn(asker: Scripted, protocol: Protocol, count: number): Promise<void> {
  await asker.until(`${count} of ${protocol}`, () => streamsOf(asker, protocol).length >= count)
  expect(streamsOf(asker, protocol)).toHaveLength(count)
}

test.each(['admit', 'publish'] as const)(
  'a stream of %s that a stranger leaves idle is closed long before one for comparisons, which carries the next',
  async (protocol) => {
    const limits = { streamIdleMs: 100 }
    const [a, b] = [await node({ limits }), await node({ limits })]
    await joined(a, b)
    await asked(a, b, comparison)
    const [standing] = streamsOf(a, 'sync')
    const stranger = keep(await rawPeer())
    await stranger.dial(b.address)
    const idle = await stranger.stream(PROTOCOL_IDS[protocol])
    await b.until('the stranger’s is closed', () => idle.remoteWriteStatus !== 'writable')
    expect(standing?.writeStatus).toBe('writable')
    await asked(a, b, comparison)
    expect(streamsOf(a, 'sync')).toEqual([standing])
  },
)

test('after a comparison one stream for blocks stands, and the next want goes out on it', async () => {
  const [a, b] = [await node(), await node()]
  await joined(a, b)
  await compared(a, b)
  await cameIn(a, 'blocks', 1)
  await asked(a, b, want)
  expect(streamsOf(a, 'blocks')).toHaveLength(1)
})

test('a seed, which asks hardly anybody for blocks, opens none before it asks', async () => {
  const [seed, b] = [await node({ seed: true }), await node()]
  await joined(seed, b)
  await compared(seed, b)
  expect(streamsOf(seed, 'blocks')).toEqual([])
  await asked(seed, b, want)
  expect(streamsOf(seed, 'blocks')).toHaveLength(1)
})

test('what an older build closes sooner than we would is replaced, and no request fails by it', async () => {
  const [a, old] = [await node(), await node({ limits: { admittedStreamIdleMs: 5_000 } })]
  await joined(a, old)
  await compared(a, old)
  await cameIn(a, 'blocks', 1)
  const standing = [...streamsOf(a, 'sync'), ...streamsOf(a, 'blocks')]
  expect(standing).toHaveLength(2)
  await old.until('both are closed', () => standing.every(({ writeStatus }) => writeStatus !== 'writable'))
  // an answer to what was sent after these ends shows that they were heard
  await asked(old, a, comparison)
  await compared(a, old)
  await cameIn(a, 'sync', 2)
  await cameIn(a, 'blocks', 2)
})

test('a peer that gives no blocks is compared with, and the next want says what is wrong', async () => {
  const maxStreams = { admit: 1, sync: 1, blocks: 1, publish: 1, bridge: 1 }
  const a = await node({ limits: { maxStreams } })
  const raw = keep(await rawPeer({ listen: true }))
  await raw.answer(PROTOCOL_IDS.sync, frame([encodeReply('sync', equal)], 1_000).subarray())
  a.dial(raw)
  await a.event('connected')
  await compared(a, raw)
  const id = a.ask(raw.id, want)
  const failed = await a.event('requestFailed')
  expect(failed).toEqual({ kind: 'requestFailed', id, code: 'NET_PROTOCOL', alive: true })
  expect(a.of('misbehaved')).toEqual([])
})
