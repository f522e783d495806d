import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { frame } from '../../../src/net/framing.ts'
import { topicNames } from '../../../src/net/gossip.ts'
import { kept } from './kept.ts'
import { rawPeer } from './raw-peer.ts'
import { FLEET, joined, type Scripted } from './scripted.ts'

const { keep, node } = kept()

const subscription = frame(
  [
    RPC.encode({
      subscriptions: [{ subscribe: true, topic: topicNames(FLEET, 'default').releases }],
      messages: [],
    }),
  ],
  1_000,
)

/** a - b - c: what reaches c has been relayed by b. */
async function chain(): Promise<[Scripted, Scripted, Scripted]> {
  const [a, b, c] = [await node(), await node(), await node()]
  await joined(a, b)
  await joined(c, b)
  return [a, b, c]
}

const say = (from: Scripted, text: string, topic: 'releases' | 'control' = 'releases') =>
  from.transport.perform({ kind: 'publish', topic, bytes: Buffer.from(text) })

const hears = (at: Scripted, text: string) =>
  at.event('gossip', ({ bytes }) => Buffer.from(bytes).toString() === text)

test('a message is relayed only once it is accepted, and not at all when rejected or ignored', async () => {
  const [a, b, c] = await chain()
  for (const verdict of ['reject', 'ignore', 'accept'] as const) {
    say(a, verdict)
    const { id, from } = await hears(b, verdict)
    expect(from).toBe(a.id)
    b.transport.perform({ kind: 'verdict', id, from, topic: 'releases', verdict })
  }
  const relayed = await hears(c, 'accept')
  expect(relayed).toMatchObject({ topic: 'releases', from: b.id })
  expect(c.of('gossip')).toHaveLength(1)
})

test('a reject costs its sender, an ignore costs nothing', async () => {
  const [a, b] = await chain()
  say(a, 'old')
  say(a, 'forged')
  const [old, forged] = [await hears(b, 'old'), await hears(b, 'forged')]
  // in one turn, so that no score is taken between the two
  b.transport.perform({ kind: 'verdict', id: old.id, from: old.from, topic: 'releases', verdict: 'ignore' })
  b.transport.perform({
    kind: 'verdict',
    id: forged.id,
    from: forged.from,
    topic: 'releases',
    verdict: 'reject',
  })
  await b.until('score below zero', () => b.transport.score(a.id) < 0)
  // one reject is -20; two would be -80
  expect(b.transport.score(a.id)).toBeGreaterThan(-21)
})

test('the two topics are told apart', async () => {
  const [a, b] = await chain()
  say(a, 'beacon', 'control')
  say(a, 'release', 'releases')
  expect((await hears(b, 'beacon')).topic).toBe('control')
  expect((await hears(b, 'release')).topic).toBe('releases')
})

test('a message over the bound of its topic is rejected before the core sees it', async () => {
  const small = await node({ limits: { maxReleasesGossipBytes: 1_000 } })
  const large = await node()
  await joined(large, small)
  say(large, 'x'.repeat(1_001))
  expect(await small.event('misbehaved')).toEqual({ kind: 'misbehaved', peer: large.id, code: 'LIMIT_BYTES' })
  say(large, 'y'.repeat(1_000))
  await hears(small, 'y'.repeat(1_000))
  expect(small.of('gossip')).toHaveLength(1)
  expect(small.refused).toEqual(['LIMIT_BYTES'])
  expect(small.notes.filter(({ code }) => code === 'LIMIT_BYTES')).toHaveLength(1)
})

test('own messages over the bound are not sent', async () => {
  const [a, b] = await chain()
  say(a, 'x'.repeat(LIMITS.maxReleasesGossipBytes + 1))
  say(a, 'fits')
  await hears(b, 'fits')
  expect(b.of('gossip')).toHaveLength(1)
  expect(a.notes).toMatchObject([{ level: 'error', code: 'LIMIT_BYTES' }])
})

test('nobody to hear a message is no failure, and no refusal that would be counted', async () => {
  const [alone, other] = [await node(), await node()]
  say(alone, 'anyone?')
  await joined(alone, other)
  say(alone, 'you')
  await hears(other, 'you')
  expect(alone.notes).toEqual([])
})

test.each([
  ['answers no stream', false],
  ['answers none, and has opened its own', true],
] as const)('a peer that %s holds up the gossip of no other', async (_what, opensOne) => {
  const [a, mute, late] = [await node({ limits: { watchdogMs: 2_000 } }), await rawPeer(), await node()]
  keep(mute)
  await mute.dial(a.address)
  await a.event('connected', ({ peer }) => peer === mute.id)
  mute.ignoreStreams()
  a.transport.perform({ kind: 'admit', peer: mute.id, region: 'all' })
  if (opensOne) {
    const stream = await mute.stream('/meshsub/1.1.0')
    stream.send(subscription)
    await a.until('heard', () => a.transport.subscribers('releases').includes(mute.id))
  }
  await joined(late, a)
  say(a, 'news')
  await hears(late, 'news')
  // at its second look the watchdog hangs up on whoever has no stream each way
  await a.event('disconnected', ({ peer }) => peer === mute.id)
  expect(a.of('disconnected')).toHaveLength(1)
  expect(late.of('disconnected')).toEqual([])
})
