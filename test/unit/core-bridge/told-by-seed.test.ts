/** A seed pushes to the first gateway of its region and tells the next: they step in sooner than over a border. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { createBridge } from '../../../src/core/bridge.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import type { Name } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { asked, Bench, peer, requestOf } from '../core-peers/fakes.ts'
import { messageOf } from './toy-regions.ts'

const id = sha256(messageOf('one'))
const item: BridgeItem = { topic: 'control', id, home: 'eu' as Name }
const NEAR = rank(id, ['eu-0', 'eu-1', 'eu-2'].map(peer))
const FAR = ['us-0', 'us-1', 'us-2'].map(peer)
const seed = peer('seed')

/** A gateway of `eu` that ranks at this place for the item, and has links to all others and to a seed of `eu`. */
function gateway(place: number) {
  const self = NEAR[place] as (typeof NEAR)[number]
  const bench = new Bench({ self, region: 'eu' })
  const bridge = createBridge(bench.config)
  bench.journey.gatewaysOf.set('eu', NEAR)
  bench.journey.gatewaysOf.set('us', FAR)
  for (const one of [...NEAR, ...FAR].filter((other) => other !== self)) {
    bench.journey.standing.add(one)
    bench.link(one, {}, { region: FAR.includes(one) ? 'us' : 'eu' })
  }
  bench.link(seed, {}, { region: 'eu', submit: true })
  let requests = 1_000
  return {
    hear: (from: typeof seed, message: BridgeRequest) => {
      requests += 1
      const request = requestOf(requests, from, { protocol: 'bridge', message })
      bench.run((step, journey) => bridge.onRequest(step, journey, request))
    },
    /** @returns to whom it is claimed */
    say: (how: 'own' | 'relayed') =>
      asked(
        bench.run((step, journey) =>
          bridge.onSaid(step, journey, { topic: 'control', bytes: messageOf('one'), how }),
        ),
      ).flatMap(({ peer: to, request: { message } }) => (message.type === 'claim' ? [to] : [])),
    /** @returns who is asked for it once this time has passed */
    pullsAfter: (ms: number) => {
      bench.pass(ms)
      return asked(bench.run((step, journey) => bridge.onTick(step, journey))).flatMap(
        ({ peer: to, request: { message } }) => (message.type === 'pull' ? [to] : []),
      )
    },
  }
}

test.each([
  { place: 1, waitMs: 10, teller: 'a seed near', from: seed },
  { place: 2, waitMs: 60, teller: 'a seed near', from: seed },
  { place: 0, waitMs: 50, teller: 'a seed near, which pushes to it', from: seed },
  { place: 1, waitMs: 50, teller: 'a gateway near', from: NEAR[0] as typeof seed },
  { place: 1, waitMs: 50, teller: 'a gateway far away', from: FAR[1] as typeof seed },
  { place: 2, waitMs: 100, teller: 'a gateway far away', from: FAR[2] as typeof seed },
])('rank $place waits $waitMs ms where $teller told it', ({ place, waitMs, from }) => {
  const { hear, pullsAfter } = gateway(place)
  hear(from, { type: 'announce', item })
  expect(pullsAfter(waitMs - 1)).toEqual([])
  expect(pullsAfter(1)).toEqual([from])
})

test.each([
  { place: 0, home: 'eu', how: 'relayed', claims: NEAR.slice(1) },
  { place: 1, home: 'eu', how: 'relayed', claims: [] },
  { place: 0, home: 'eu', how: 'own', claims: [] },
  { place: 0, home: 'us', how: 'relayed', claims: [] },
] as const)('rank $place claims what gossip brought ($how, home $home) before the seed did', (one) => {
  const { hear, say } = gateway(one.place)
  if (one.home === 'us')
    hear(FAR[1] as typeof seed, { type: 'announce', item: { ...item, home: one.home as Name } })
  expect(say(one.how)).toEqual([...one.claims].sort())
  expect(say(one.how)).toEqual([])
})

test('the claim of the first holds the next off as over a border', () => {
  const { hear, pullsAfter } = gateway(1)
  hear(seed, { type: 'announce', item })
  hear(NEAR[0] as typeof seed, { type: 'claim', item })
  expect(pullsAfter(1_499)).toEqual([])
  expect(pullsAfter(1)).toEqual([seed])
})
