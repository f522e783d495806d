/** Another region without a gateway: its nodes may be such as nobody can dial, and none of them stands. */
import { beforeEach, expect, it, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import type { Name, PeerId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { acts, Bench, codes, peer, replies, requestOf } from '../core-peers/fakes.ts'
import { inTime } from './in-time.ts'
import { messageOf } from './toy-regions.ts'

const bytes = messageOf('one')
const id = sha256(bytes)
const item: BridgeItem = { topic: 'control', id, home: 'eu' as Name }
const NEAR = ['eu-0', 'eu-1', 'eu-2', 'eu-3'].map(peer)

let bench: Bench
let bridge: Bridge

/** A gateway of `eu` that is of this rank for the message, linked with so many nodes of `us`. */
function gateway(place: number, far: number): PeerId[] {
  bench = new Bench({ self: rank(id, NEAR)[place] as PeerId, region: 'eu' })
  bridge = createBridge(bench.config)
  const { journey } = bench
  journey.gatewaysOf.set('eu', NEAR)
  journey.regions = () => ['eu', 'us']
  const nodes = Array.from({ length: far }, (_, at) => peer(`us-${at}`))
  for (const one of nodes) bench.link(one, {}, { region: 'us' })
  bench.link(peer('ap-0'), {}, { region: 'ap' })
  return rank(id, nodes)
}

const say = () =>
  acts(
    bench.run((step, journey) => bridge.onSaid(step, journey, { topic: 'control', bytes, how: 'relayed' })),
  )
const ask = (from: PeerId, message: BridgeRequest) =>
  bench.run((step, journey) =>
    bridge.onRequest(step, journey, requestOf(1, from, { protocol: 'bridge', message })),
  )
const tick = () => bench.run((step, journey) => bridge.onTick(step, journey))
const told = (effects: ReturnType<typeof acts>) =>
  effects.flatMap((effect) =>
    effect.kind === 'request' ? [[effect.peer, effect.request.message] as const] : [],
  )

beforeEach(() => void gateway(0, 1))

test.each([
  [0, { type: 'announce', item, bytes }],
  [1, { type: 'announce', item }],
  [2, { type: 'announce', item }],
] as const)('its only node that is linked is told by the gateway of rank %i', (place, message) => {
  const [only] = gateway(place, 1)
  expect(told(say())).toEqual([[only, message]])
})

test('of three each is told by the gateway of its rank, and a second later all by each gateway', () => {
  for (const place of [0, 1, 2]) {
    const nodes = gateway(place, 3)
    expect(told(say()).map(([to]) => to)).toEqual([nodes[place]])
    const later = told(acts(inTime(bench, 1_000, tick)))
    expect(later.map(([to, { type }]) => [to, type])).toEqual([...nodes].sort().map((to) => [to, 'have']))
  }
})

test('of more than three nobody is told: some of them are about to stand', () => {
  gateway(0, 4)
  expect(told([...say(), ...acts(inTime(bench, 10_000, tick))])).toEqual([])
})

test('once a gateway is known there, linked or not, nobody else is told', () => {
  bench.journey.gatewaysOf.set('us', [peer('us-9')])
  expect(told([...say(), ...acts(inTime(bench, 10_000, tick))])).toEqual([])
})

test('nor is anybody of the own region: gossip brings it there', () => {
  const { journey } = bench
  bench = new Bench({ self: peer('seed'), region: 'eu', submit: true })
  bridge = createBridge(bench.config)
  for (const [one, session] of journey.links) bench.journey.links.set(one, session)
  bench.link(peer('eu-0'), {}, { region: 'eu' })
  bench.journey.regions = () => ['eu', 'us']
  const said = { topic: 'control', bytes, how: 'own' } as const
  expect(told(acts(bench.run((step, to) => bridge.onSaid(step, to, said))))).toEqual([])
})

it('may ask for what it was told, and say nothing', () => {
  say()
  const far = peer('us-0')
  expect(replies(ask(far, { type: 'pull', item }))).toEqual([{ type: 'item', bytes }])
  for (const message of [
    { type: 'announce', item, bytes },
    { type: 'claim', item },
    { type: 'have', items: [item] },
  ] as const)
    expect(codes(ask(far, message))).toEqual(['NET_PROTOCOL'])
})

it('may do so for a while once somebody stands there, who was not known when it was told', () => {
  say()
  bench.journey.gatewaysOf.set('us', [peer('us-9')])
  bench.pass(bench.config.limits.heartbeatMs - 1)
  expect(replies(ask(peer('us-0'), { type: 'pull', item }))).toEqual([{ type: 'item', bytes }])
  bench.pass(1)
  expect(codes(ask(peer('us-0'), { type: 'pull', item }))).toEqual(['NET_PROTOCOL'])
})

test('nobody may who was not told, as gateways of its region were', () => {
  bench.journey.gatewaysOf.set('us', [peer('us-9')])
  say()
  expect(codes(ask(peer('us-0'), { type: 'pull', item }))).toEqual(['NET_PROTOCOL'])
})

test('a node there that is told takes it as a gateway would, and says it on its topic', () => {
  bench = new Bench({ self: peer('us-0'), region: 'us' })
  bridge = createBridge(bench.config)
  const { journey } = bench
  journey.region = 'us'
  journey.gatewaysOf.set('eu', NEAR)
  const [first, second] = rank(id, NEAR) as [PeerId, PeerId]
  for (const one of [first, second]) {
    journey.standing.add(one)
    bench.link(one, {}, { region: 'eu' })
  }
  journey.onHear = () => ({ verdict: 'accept', id, known: false })
  ask(second, { type: 'announce', item })
  const wanted = { type: 'pull', item }
  const pulled = acts(inTime(bench, bench.config.limits.bridgeRanks * bench.config.limits.bridgeWaitMs, tick))
  expect(told(pulled)).toEqual([[second, wanted]])
  const publish = { kind: 'publish', topic: 'control', bytes }
  expect(acts(ask(first, { type: 'announce', item, bytes }))).toContainEqual(publish)
})
