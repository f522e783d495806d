/** What is here already is not brought over a border again, and of what is not only so many sources are kept and asked. */
import { beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import type { Heard } from '../../../src/core/journey.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import type { Limits } from '../../../src/limits.ts'
import type { Name, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { acts, asked, Bench, limitsOf, peer, replies, requestOf } from '../core-peers/fakes.ts'
import { inTime } from './in-time.ts'
import { messageOf } from './toy-regions.ts'

const bytes = messageOf('one')
const id = sha256(bytes)
const NEAR = ['eu-0', 'eu-1', 'eu-2'].map(peer)
const [first, second, third] = ['us-0', 'us-1', 'us-2'].map(peer) as [PeerId, PeerId, PeerId]
const FAR = [first, second, third]
const item = (text = 'one'): BridgeItem => ({
  topic: 'control',
  id: sha256(messageOf(text)),
  home: 'us' as Name,
})

let bench: Bench
let bridge: Bridge
let heard: Heard
let judged: number

/** The first gateway of `eu` for the message. */
function gateway(limits: Partial<Limits> = {}): void {
  const self = rank(id, NEAR)[0] as PeerId
  bench = new Bench({ self, region: 'eu', limits: limitsOf(limits) })
  bridge = createBridge(bench.config)
  bench.journey.gatewaysOf.set('eu', NEAR)
  bench.journey.gatewaysOf.set('us', FAR)
  for (const one of [...NEAR, ...FAR]) {
    bench.journey.standing.add(one)
    if (one !== self) bench.link(one, {}, { region: FAR.includes(one) ? 'us' : 'eu' })
  }
  heard = { verdict: 'accept', id, known: false }
  judged = 0
  bench.journey.onHear = () => {
    judged += 1
    return heard
  }
}

beforeEach(() => gateway())

let requests = 1_000
const ask = (from: PeerId, message: BridgeRequest): Effect[] => {
  requests += 1
  const request = requestOf(requests, from, { protocol: 'bridge', message })
  return bench.run((step, journey) => bridge.onRequest(step, journey, request))
}
const announce = (from: PeerId, one = item()) => ask(from, { type: 'announce', item: one })
const say = (how: 'relayed' | 'known') =>
  acts(bench.run((step, journey) => bridge.onSaid(step, journey, { topic: 'control', bytes, how })))
const tick = () => bench.run((step, journey) => bridge.onTick(step, journey))
const later = (ms: number): EffectOf<'request'>[] => asked(inTime(bench, ms, tick))
const pulls = (ms: number) => later(ms).filter(({ request }) => request.message.type === 'pull')
const replied = (
  pull: EffectOf<'request'> | undefined,
  message: { type: 'gone' } | { type: 'item'; bytes: Uint8Array },
) =>
  bench.run((step, journey) => bridge.onReply(step, journey, pull?.id ?? 0, { protocol: 'bridge', message }))
/** Each is asked, and has it no longer. */
const inVain = (times: number): PeerId[] => {
  const from: PeerId[] = []
  for (let time = 0; time < times; time += 1)
    for (const pull of pulls(200)) {
      from.push(pull.peer)
      replied(pull, { type: 'gone' })
    }
  return from
}

describe('what is here already', () => {
  it('is not carried on where this node knew it before gossip brought a copy', () => {
    expect(say('known')).toEqual([])
    expect(later(2_000)).toEqual([])
    ask(first, { type: 'announce', item: item(), bytes })
    expect(judged).toBe(0)
  })

  it('is not pulled, nor judged where it is pushed, if it is a release that sync brought', () => {
    const release: BridgeItem = { ...item(), topic: 'releases' }
    bench.journey.envelopes.set(id as string as ReleaseId, bytes)
    announce(first, release)
    expect(pulls(2_000)).toEqual([])
    ask(first, { type: 'announce', item: release, bytes })
    expect(judged).toBe(0)
  })

  it('is not pulled again if it was known once it came, and laid to nobody', () => {
    gateway({ bridgeDudsPerSecond: 0, bridgeDudsBurst: 0 })
    heard = { verdict: 'ignore', id, known: true }
    announce(first)
    replied(pulls(200)[0], { type: 'item', bytes })
    announce(second)
    expect([judged, pulls(2_000)]).toEqual([1, []])
    announce(first, item('two'))
    expect(pulls(200)).toHaveLength(1)
  })

  it('is laid to nobody who did not answer for it in time, if it came another way meanwhile', () => {
    gateway({ bridgeDudsPerSecond: 0, bridgeDudsBurst: 0 })
    announce(first)
    const [pull] = pulls(200)
    say('relayed')
    bench.run((step, journey) => bridge.onRequestFailed(step, journey, pull?.id ?? 0, 'NET_TIMEOUT'))
    announce(first, item('two'))
    expect(pulls(200)).toHaveLength(1)
  })
})

describe('sources', () => {
  it('of one thing are as many as the limit says, each once however often it announces', () => {
    gateway({ maxBridgeSources: 2, maxBridgePulls: 4 })
    for (const from of [first, first, second, third]) announce(from)
    expect(inVain(5)).toEqual([first, second, first, second])
  })

  it('that are not believed take no room from others', () => {
    gateway({ bridgeDudsPerSecond: 0, bridgeDudsBurst: 0, maxBridgePulls: 1, maxBridgeWanted: 1 })
    announce(first)
    expect(inVain(1)).toEqual([first])
    later(200)
    announce(first, item('two'))
    announce(second, item('three'))
    expect(pulls(200).map(({ peer: from }) => from)).toEqual([second])
  })

  it('are asked for what waits for its turn as soon as a pull has ended', () => {
    gateway({ maxBridgePullsOfOne: 1 })
    for (const one of [item(), item('two')]) announce(first, one)
    const [pull] = pulls(200)
    bench.wakeMonoMs = Number.POSITIVE_INFINITY
    replied(pull, { type: 'item', bytes })
    expect(bench.wakeMonoMs).toBe(bench.now.monoMs)
    expect(pulls(0)).toHaveLength(1)
  })
})

it('a claim is said to those near that stand, and to nobody else', () => {
  bench.link(peer('eu-plain'), {}, { region: 'eu' })
  const claims = asked(ask(first, { type: 'announce', item: item(), bytes }))
  const others = NEAR.filter((one) => one !== bench.config.self)
  expect(claims.map(({ peer: to, request }) => [to, request.message.type])).toEqual(
    others.map((to) => [to, 'claim']),
  )
})

it('of what came a second ago as many are told of as a message takes, where they are not at home', () => {
  gateway({ maxBridgeHave: 3 })
  bench.journey.gatewaysOf.set('ap', [peer('ap-0')])
  bench.link(peer('ap-0'), {}, { region: 'ap' })
  for (const text of ['one', 'two', 'three', 'four']) {
    heard = { verdict: 'accept', id: sha256(messageOf(text)), known: false }
    ask(first, { type: 'announce', item: item(text), bytes: messageOf(text) })
  }
  const items = ['one', 'two', 'three'].map(item)
  expect(later(1_000).map(({ peer: to, request }) => [to, request.message])).toEqual([
    [peer('ap-0'), { type: 'have', items }],
  ])
})

it('a seed of the region that is no gateway may announce, and nothing else', () => {
  const seed = peer('eu-seed')
  bench.link(seed, {}, { region: 'eu', submit: true })
  for (const message of [
    { type: 'claim', item: item() },
    { type: 'pull', item: item() },
    { type: 'have', items: [item()] },
  ] as const)
    expect(replies(ask(seed, message))).toMatchObject([{ type: 'refused', code: 'NET_PROTOCOL' }])
  expect(replies(announce(seed))).toEqual([{ type: 'noted' }])
})
