import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, Channel } from '../../../src/model/ids.ts'
import { dialPublisher, type PublishConnection } from '../../../src/net/dial.ts'
import { newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'
import { reachSeeds } from '../../../src/publish/seeds.ts'
import { DIGEST, Scripted } from './scripted.ts'

const ending: (() => Promise<void>)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const end of ending.splice(0).reverse()) await end()
})

const seed = async (): Promise<Scripted> => {
  const started = await Scripted.start()
  ending.push(() => started.stop())
  return started
}
const dial = async (address: Address, identityPem?: string): Promise<PublishConnection> => {
  const identity =
    identityPem === undefined ? {} : { identity: { pem: identityPem, peerId: peerIdOf(identityPem) } }
  const connection = await dialPublisher(address, { limits: LIMITS, ...identity })
  ending.push(() => connection.close())
  return connection
}

test('questions are answered in turn, without admission', async () => {
  const b = await seed()
  b.onRequest = ({ id, request }) => {
    expect(request.protocol).toBe('publish')
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'publish', message: { type: 'noted' } } })
  }
  const publisher = await dial(b.address)
  expect(publisher.peer).toBe(b.id)
  expect(await publisher.ask({ type: 'roots', since: 0 }, 5_000)).toEqual({ type: 'noted' })
  const bytes = new Uint8Array(256 * 1024)
  expect(await publisher.ask({ type: 'block', release: DIGEST as never, bytes }, 5_000)).toEqual({
    type: 'noted',
  })
  expect(b.of('connected')).toMatchObject([{ direction: 'inbound', ownHost: true }])
})

test('a refusal is a reply', async () => {
  const b = await seed()
  b.onRequest = ({ id }) => {
    const message = { type: 'refused', code: 'LIMIT_RATE', text: 'too many', retryAfterMs: 1_000 } as const
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'publish', message } })
  }
  const publisher = await dial(b.address)
  expect(await publisher.ask({ type: 'roots', since: 0 }, 5_000)).toMatchObject({
    type: 'refused',
    code: 'LIMIT_RATE',
  })
})

test('a connection that the seed ends is seen to be gone without a request', async () => {
  const b = await seed()
  const publisher = await dial(b.address)
  const { peer } = await b.event('connected')
  expect(publisher.isGone).toBe(false)
  b.transport.perform({ kind: 'hangUp', peer, code: 'LIMIT_TIMEOUT' })
  await expect.poll(() => publisher.isGone).toBe(true)
  await expect(publisher.ask({ type: 'roots', since: 0 }, 5_000)).rejects.toMatchObject({
    code: 'NET_UNREACHABLE',
  })
})

test('a list of channels that goes on is a whole answer: the rest is asked for', async () => {
  const b = await seed()
  const message = { type: 'channels', channels: ['a/b' as Channel], more: true } as const
  b.onRequest = ({ id }) => {
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'publish', message } })
  }
  const publisher = await dial(b.address)
  expect(await publisher.ask({ type: 'channels' }, 5_000)).toEqual(message)
  expect(await publisher.ask({ type: 'channels', after: 'a/b' as Channel }, 5_000)).toEqual(message)
})

test('a seed that does not answer, or hangs up', async () => {
  const b = await seed()
  const publisher = await dial(b.address)
  await expect(publisher.ask({ type: 'roots', since: 0 }, 100)).rejects.toMatchObject({ code: 'NET_TIMEOUT' })
  const pending = publisher.ask({ type: 'await', release: DIGEST as never }, 60_000)
  const failed = expect(pending).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  await b.event('request', ({ request }) => request.message.type === 'await')
  b.transport.perform({ kind: 'hangUp', peer: b.of('connected')[0]?.peer as never, code: 'done' })
  await failed
})

test('a seed without a place for one more stranger is told from one that is not there', async () => {
  const b = await Scripted.start({ limits: { maxUnadmittedPerAddress: 0 } })
  ending.push(() => b.stop())
  await expect(dial(b.address)).rejects.toMatchObject({ code: 'NET_UNREACHABLE', details: { cut: true } })
  const nobody = b.address.replace(/tcp\/\d+/, 'tcp/1') as Address
  await expect(dial(nobody)).rejects.toMatchObject({ code: 'NET_UNREACHABLE', details: {} })
})

test('of those that come at once to a seed without places for all, each is answered in the end', async () => {
  const limits = { ...LIMITS, maxUnadmittedPerAddress: 1, redialMinMs: 200 }
  const b = await Scripted.start({ limits })
  ending.push(() => b.stop())
  b.onRequest = ({ id }) => {
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'publish', message: { type: 'noted' } } })
  }
  const ask = async () => {
    const seeds = await reachSeeds([b.address], limits)
    const reply = await seeds.reached[0]?.ask({ type: 'roots', since: 0 }, 5_000)
    await seeds.close()
    return reply?.type
  }
  const all = Array.from({ length: 4 }, ask)
  expect(await Promise.all(all)).toEqual(all.map(() => 'noted'))
})

test('a lasting identity is the one the seed sees', async () => {
  const b = await seed()
  const pem = newIdentityPem()
  await dial(b.address, pem)
  expect((await b.event('connected')).peer).toBe(peerIdOf(pem))
})

test('nobody there, and somebody else there', async () => {
  const b = await seed()
  const stranger = peerIdOf(newIdentityPem())
  await expect(dial(`/ip4/127.0.0.1/tcp/1/p2p/${stranger}` as Address)).rejects.toMatchObject({
    code: 'NET_UNREACHABLE',
  })
  await expect(dial(b.address.replace(b.id, stranger) as Address)).rejects.toMatchObject({
    code: 'NET_PEER_ID',
  })
})

/** Takes connections and never says a word. @returns its address, and the first connection */
async function silentHost(): Promise<{ address: Address; met: Promise<unknown> }> {
  const silent = createServer()
  const met = once(silent, 'connection')
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  ending.push(async () => void silent.close())
  const { port } = silent.address() as AddressInfo
  return { address: `/ip4/127.0.0.1/tcp/${port}/p2p/${peerIdOf(newIdentityPem())}` as Address, met }
}

test('a dial that nobody waits for any more ends at once, however silent the other side', async () => {
  const { address, met } = await silentHost()
  const waiting = new AbortController()
  void met.then(() => waiting.abort())
  const dialled = dialPublisher(address, { limits: LIMITS, signal: waiting.signal })
  const beganMs = performance.now()
  await expect(dialled).rejects.toMatchObject({ code: 'NET_TIMEOUT' })
  expect(performance.now() - beganMs).toBeLessThan(LIMITS.dialDeadlineMs / 2)
})

test('a dial has its deadline whole: nothing in libp2p ends it sooner', async () => {
  const { address, met } = await silentHost()
  const deadlines = vi.spyOn(AbortSignal, 'timeout')
  const waiting = new AbortController()
  const limits = { ...LIMITS, dialDeadlineMs: 20_000 }
  const dialled = dialPublisher(address, { limits, signal: waiting.signal })
  await met
  waiting.abort()
  await expect(dialled).rejects.toMatchObject({ code: 'NET_TIMEOUT' })
  // one of ours, and one of libp2p's for the address
  expect(deadlines.mock.calls).toEqual([[20_000], [20_000]])
})
