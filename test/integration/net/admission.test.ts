import { expect, test } from 'vitest'
import { encodeReply } from '../../../src/codec/messages.ts'
import { frame } from '../../../src/net/framing.ts'
import { newIdentityPem } from '../../../src/net/identity.ts'
import { PROTOCOL_IDS } from '../../../src/net/protocols.ts'
import { kept } from './kept.ts'
import { rawPeer } from './raw-peer.ts'
import { connect, joined, open, Scripted, want } from './scripted.ts'

const { keep, node } = kept()

test('a connection is told to both sides once, with its direction, address and origin', async () => {
  const [a, b] = [await node(), await node()]
  await connect(a, b)
  expect(a.of('connected')).toEqual([
    { kind: 'connected', peer: b.id, direction: 'outbound', address: b.address, ownHost: true },
  ])
  expect(b.of('connected')).toMatchObject([{ peer: a.id, direction: 'inbound', ownHost: true }])
  expect(b.of('connected')[0]?.address).toMatch(new RegExp(`/p2p/${a.id}$`))
})

test('a peer that is not admitted gets no gossip, however long it is connected', async () => {
  const [a, b, c] = [await node(), await node(), await node()]
  await connect(a, b)
  await joined(c, b)
  c.transport.perform({ kind: 'publish', topic: 'releases', bytes: new Uint8Array([1]) })
  const heard = await b.event('gossip')
  b.transport.perform({
    kind: 'verdict',
    id: heard.id,
    from: heard.from,
    topic: 'releases',
    verdict: 'accept',
  })
  // the same exchange in the other direction proves that what was to come has come
  b.transport.perform({ kind: 'publish', topic: 'releases', bytes: new Uint8Array([2]) })
  await c.event('gossip')
  expect(a.of('gossip')).toEqual([])
  expect([a.hears(b), b.hears(a)]).toEqual([false, false])
})

test('one side admits earlier than the other: the mesh still forms', async () => {
  const [a, b] = [await node(), await node()]
  await connect(a, b)
  a.admit(b)
  // a's gossip stream is at b by now and is held there
  await a.until('outbound stream', () => a.events.length > 0)
  a.ask(b.id, open)
  await b.event('request')
  b.admit(a)
  await b.until('mesh', () => a.inMesh(b) && b.inMesh(a))
})

test('sync and blocks are refused before admission, admit and publish are not', async () => {
  const [a, b] = [await node(), await node({ limits: { admitDeadlineMs: 200 } })]
  await connect(a, b)
  b.onRequest = ({ id, request }) => {
    if (request.protocol === 'admit')
      b.transport.perform({ kind: 'reply', id, reply: { protocol: 'admit', message: { type: 'noted' } } })
    if (request.protocol === 'publish')
      b.transport.perform({ kind: 'reply', id, reply: { protocol: 'publish', message: { type: 'noted' } } })
  }
  const blocks = a.ask(b.id, want)
  expect((await a.event('reply', ({ id }) => id === blocks)).reply.message).toMatchObject({
    type: 'refused',
    code: 'ADMIT_REFUSED',
  })
  const admit = a.ask(b.id, open)
  expect((await a.event('reply', ({ id }) => id === admit)).reply.message).toEqual({ type: 'noted' })
  const publish = a.ask(b.id, { protocol: 'publish', message: { type: 'roots', since: 1 } })
  expect((await a.event('reply', ({ id }) => id === publish)).reply.message).toEqual({ type: 'noted' })
  expect(b.of('request').map(({ request }) => request.protocol)).toEqual(['admit', 'publish'])
})

test('a sync request that overtakes the admission of its sender is held, not refused', async () => {
  const [a, b] = [await node(), await node()]
  await connect(a, b)
  b.onRequest = ({ id }) => b.transport.replyBlock(id, undefined)
  const id = a.ask(b.id, want)
  const admit = a.ask(b.id, open)
  await b.event('request', ({ request }) => request.protocol === 'admit')
  expect(a.of('reply')).toEqual([])
  b.admit(a)
  expect((await a.event('reply', (event) => event.id === id)).reply.message).toEqual({ type: 'gone' })
  expect(admit).toBeGreaterThan(id)
})

test('a refusal reaches the peer before the connection ends, and both sides hear of the end', async () => {
  const [a, b] = [await node(), await node()]
  await connect(a, b)
  b.onRequest = ({ id, peer }) => {
    const message = { type: 'refused', code: 'ADMIT_REMOVED', text: 'removed' } as const
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'admit', message } })
    b.transport.perform({ kind: 'hangUp', peer, code: 'ADMIT_REMOVED' })
  }
  a.ask(b.id, open)
  const { reply } = await a.event('reply')
  expect(reply.message).toMatchObject({ type: 'refused', code: 'ADMIT_REMOVED' })
  await a.event('disconnected')
  await b.event('disconnected')
})

test('gossip stops with a peer that is hung up on, and starts again after a new admission', async () => {
  const [a, b] = [await node(), await node()]
  await joined(a, b)
  b.transport.perform({ kind: 'hangUp', peer: a.id, code: 'done' })
  await a.event('disconnected')
  await b.event('disconnected')
  expect(b.hears(a)).toBe(false)
  a.dial(b)
  await a.until('second connection', () => a.of('connected').length === 2 && b.of('connected').length === 2)
  expect(b.inMesh(a)).toBe(false)
  a.admit(b)
  b.admit(a)
  await b.until('subscriptions', () => b.hears(a) && a.hears(b))
})

test('crossing dials leave one connection, the same for both, and gossip works on it', async () => {
  for (let round = 0; round < 5; round += 1) {
    const [a, b] = [await node(), await node()]
    a.dial(b)
    b.dial(a)
    await a.until('one connection each', () => settled(a, b) && settled(b, a))
    a.admit(b)
    b.admit(a)
    await a.until('subscriptions', () => a.hears(b) && b.hears(a))
    const [mine, theirs] = [a.of('connected').at(-1), b.of('connected').at(-1)]
    expect(new Set([mine?.direction, theirs?.direction])).toEqual(new Set(['inbound', 'outbound']))
  }
})

/** `connected` once more than `disconnected`, and the lower id's dial won wherever both came through. */
function settled(self: Scripted, other: Scripted): boolean {
  const opened = self.of('connected')
  if (opened.length !== self.of('disconnected').length + 1) return false
  if (opened.length === 1 && other.of('connected').length === 1)
    return opened[0]?.direction !== other.of('connected')[0]?.direction
  return opened.at(-1)?.direction === (self.id < other.id ? 'outbound' : 'inbound')
}

test('strangers beyond the bound are turned away, the newest first, and admitted peers do not count', async () => {
  const b = await node({ limits: { maxUnadmittedPerAddress: 2 } })
  const [first, second, third] = [await node(), await node(), await node()]
  await connect(first, b)
  await connect(second, b)
  third.dial(b)
  expect(await third.event('dialFailed')).toMatchObject({ address: b.address, code: 'NET_UNREACHABLE' })
  // before the handshake, which is what costs
  expect(third.of('connected')).toEqual([])
  expect(b.notes).toMatchObject([{ level: 'warn', code: 'LIMIT_STREAMS' }])
  b.admit(first)
  await connect(third, b)
})

test('those that publish count half: they leave places to nodes of their address', async () => {
  const b = await node({ limits: { maxUnadmittedPerAddress: 2 } })
  b.onRequest = ({ id }) => {
    const message = { type: 'noted' } as const
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'publish', message } })
  }
  const [first, second, third, fourth] = [await node(), await node(), await node(), await node()]
  for (const publisher of [first, second]) {
    await connect(publisher, b)
    publisher.ask(b.id, { protocol: 'publish', message: { type: 'roots', since: 1 } })
    await publisher.event('reply')
  }
  await connect(third, b)
  fourth.dial(b)
  expect(await fourth.event('dialFailed')).toMatchObject({ code: 'NET_UNREACHABLE' })
})

test('gossip streams are opened to admitted peers only', async () => {
  const [a, raw] = [await node(), await rawPeer({ listen: true, meshsub: true })]
  keep(raw)
  a.dial(raw)
  await a.event('connected')
  await raw.identified()
  // identified on both sides once an exchange of several round trips is through
  await raw.answer(PROTOCOL_IDS.admit, frame([encodeReply('admit', { type: 'noted' })], 1_000).subarray())
  for (let round = 0; round < 5; round += 1) {
    const id = a.ask(raw.id, open)
    await a.until('round trip', () => a.of('reply').some((event) => event.id === id))
  }
  expect(raw.meshsubStreams()).toBe(0)
  a.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  await a.until('gossip stream', () => raw.meshsubStreams() > 0)
})

test('of two connections from the same side the newer stays, as a new session', async () => {
  const [b, raw] = [await node(), await rawPeer()]
  keep(raw)
  await raw.dial(b.address)
  await b.event('connected')
  await raw.dial(b.address, { force: true })
  await b.until('second session', () => b.of('connected').length === 2)
  expect(b.events.map(({ kind }) => kind)).toEqual(['connected', 'disconnected', 'connected'])
  await b.until('first closed', () => raw.connections() === 1)
})

test('a peer that was admitted on an earlier connection is a stranger on the next', async () => {
  const identityPem = newIdentityPem()
  const b = await node({ limits: { maxUnadmittedPerAddress: 1 } })
  const first = await Scripted.start({ identityPem })
  await connect(first, b)
  b.admit(first)
  await first.stop()
  await b.event('disconnected')
  const again = await node({ identityPem })
  again.dial(b)
  await b.until('second session', () => b.of('connected').length === 2)
  const third = await node()
  third.dial(b)
  expect(await third.event('dialFailed')).toMatchObject({ code: 'NET_UNREACHABLE' })
})
