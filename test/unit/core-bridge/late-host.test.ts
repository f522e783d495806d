/** What a gateway does once its own host comes to its senses: claims and copies that came meanwhile lie unread. */
import { beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import type { EffectOf } from '../../../src/core/effects.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import type { Limits } from '../../../src/limits.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Name, PeerId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { asked, Bench, limitsOf, peer, requestOf } from '../core-peers/fakes.ts'
import { inTime } from './in-time.ts'
import { messageOf } from './toy-regions.ts'

const bytes = messageOf('one')
const id = sha256(bytes)
const item = (text = 'one'): BridgeItem => ({
  ...{ topic: 'control', id: sha256(messageOf(text)), home: 'us' as Name },
})
const near = rank(id, ['eu-0', 'eu-1', 'eu-2', 'eu-3'].map(peer))
const [far] = ['us-0', 'us-1'].map(peer) as [PeerId, PeerId]

let bench: Bench
let bridge: Bridge
/** A gateway of `eu` that ranks second for the item: it waits 50 ms. */
function gateway(limits: Partial<Limits> = {}): void {
  bench = new Bench({ self: near[1] as PeerId, region: 'eu', limits: limitsOf(limits) })
  bridge = createBridge(bench.config)
  const { journey } = bench
  journey.gatewaysOf.set('eu', near)
  journey.gatewaysOf.set('us', [far])
  for (const one of [...near, far]) {
    journey.standing.add(one)
    bench.link(one, {}, { region: one === far ? 'us' : 'eu' })
  }
}
beforeEach(() => gateway())

let requests = 1_000
function hear(from: PeerId, message: BridgeRequest): void {
  requests += 1
  const request = requestOf(requests, from, { protocol: 'bridge', message })
  bench.run((step, journey) => bridge.onRequest(step, journey, request))
}
const announced = (text = 'one') => hear(far, { type: 'announce', item: item(text) })
const claimed = () => hear(near[0] as PeerId, { type: 'claim', item: item() })
const tick = () => bench.run((step, journey) => bridge.onTick(step, journey))
const isPull = ({ request }: EffectOf<'request'>) => request.message.type === 'pull'
/** @returns what is asked of others */
const later = (ms: number) => asked(inTime(bench, ms, tick))
/** The host stands still so long, and ticks before anything is read. */
const standstill = (ms: number) => {
  bench.wakeMonoMs = Number.POSITIVE_INFINITY
  bench.pass(ms)
  return asked(tick())
}

describe('what is due while the host stands still', () => {
  beforeEach(() => announced())

  it('is not pulled before a claim that came meanwhile is read', () => {
    expect(standstill(500)).toEqual([])
    claimed()
    expect(later(1_400)).toEqual([])
    bench.run((step, journey) => bridge.onSaid(step, journey, { topic: 'control', bytes, how: 'known' }))
    expect(later(10_000)).toEqual([])
  })

  it('is pulled once after a pause where no claim came', () => {
    expect(standstill(500)).toEqual([])
    expect(later(999)).toEqual([])
    expect(later(1).filter(isPull)).toHaveLength(1)
    expect(later(10_000)).toEqual([])
  })

  it('is waited for four times as long as the host was late', () => {
    expect(standstill(LIMITS.bridgeWaitMs + 11)).toEqual([])
    expect(later(43).filter(isPull)).toEqual([])
    expect(later(1).filter(isPull)).toHaveLength(1)
  })

  it('is pulled at once by a host that is hardly late', () => {
    expect(standstill(LIMITS.bridgeWaitMs + 10).filter(isPull)).toHaveLength(1)
  })

  it('is pulled at the second time by a host that is always late', () => {
    expect(standstill(LIMITS.bridgeWaitMs + 20)).toEqual([])
    expect(standstill(80 + 20).filter(isPull)).toHaveLength(1)
  })

  it('is waited for anew once a claim that came later is void', () => {
    standstill(500)
    claimed()
    expect(standstill(3_000)).toEqual([])
    expect(later(1_000).filter(isPull)).toHaveLength(1)
  })
})

it('who gives nothing to a host that is always late is asked for no more from the second time on', () => {
  gateway({ bridgeDudsPerSecond: 0, bridgeDudsBurst: 0 })
  announced()
  for (let times = 1; times <= 2; times += 1) {
    const [pull] = later(200).filter(isPull)
    expect(pull).toBeDefined()
    bench.pass(3_001)
    bench.run((step, journey) => bridge.onRequestFailed(step, journey, pull?.id ?? 0, 'NET_TIMEOUT'))
  }
  announced('two')
  expect(later(200).filter(isPull)).toEqual([])
})

it.each([
  { ms: 1_500, what: 'does not answer in time', pulls: 0 },
  { ms: 3_000, what: 'does not answer a host that is late', pulls: 0 },
  { ms: 3_001, what: 'was asked by a host that stood still', pulls: 1 },
])('who $what is asked for $pulls more', ({ ms, pulls }) => {
  gateway({ bridgeDudsPerSecond: 0, bridgeDudsBurst: 0, maxBridgePulls: 1 })
  announced()
  const [pull] = later(LIMITS.bridgeWaitMs).filter(isPull)
  bench.pass(ms)
  bench.run((step, journey) => bridge.onRequestFailed(step, journey, pull?.id ?? 0, 'NET_TIMEOUT'))
  announced('two')
  expect(later(200).filter(isPull)).toHaveLength(pulls)
})
