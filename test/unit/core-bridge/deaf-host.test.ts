/** Gateways are not forgotten while nobody could be heard: a host that stands still knows those it knew once it goes on. */
import { beforeEach, expect, it } from 'vitest'
import { createGateways, type Gateways } from '../../../src/core/gateways.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Name, PeerId } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import { Bench, hex } from '../core-peers/fakes.ts'

const [NEAR, NEXT, FAR] = ['near', 'next', 'far'].map((name) => peerOfKey(keyNamed(name))) as [
  PeerId,
  PeerId,
  PeerId,
]
const regionOf = (name: string) => (name === 'far' ? 'us' : 'eu') as Name
const judge: Judge = (peer) => {
  const labels = new Map([['region', peer === FAR ? 'us' : 'eu']])
  const issuer = hex('a') as never
  return { kind: 'admitted', admission: { peer, labels, issuer, notBefore: 0, notAfter: 4e12 } }
}
const signed = (name: string) =>
  heartbeatsOf(keyNamed(name), regionOf(name), [])(bench.now.wallMs) as Uint8Array

let bench: Bench
let gateways: Gateways

beforeEach(() => {
  bench = new Bench({ self: peerOfKey(keyNamed('self')), region: 'eu' })
  gateways = createGateways(bench.config, judge)
  bench.run((step, journey) =>
    gateways.onStarted(step, journey, { kind: 'started', snapshot: EMPTY_SNAPSHOT }),
  )
  bench.link(FAR, {}, { region: 'us', heartbeats: [signed('far')] })
  bench.run((step, journey) => gateways.onAdmitted(step, journey, FAR))
  for (const name of ['near', 'next']) hear(name)
  expect(known()).toEqual(all)
})

const all = { near: new Set([NEAR, NEXT]), far: [FAR] }
const known = () => ({ near: new Set(gateways.of('eu')), far: gateways.of('us') })
function hear(name: string): string | undefined {
  let verdict: string | undefined
  bench.run((step, journey) => {
    verdict = gateways.onControl(step, journey, 'heartbeat', signed(name), FAR)
  })
  return verdict
}
/** A tick each so often; the last one ends it. */
function pass(ms: number, everyMs = ms): void {
  for (let left = ms; left > 0; left -= everyMs) {
    bench.pass(Math.min(everyMs, left))
    bench.run((step, journey) => gateways.onTick(step, journey))
  }
}

it.each([20_000, 60_000, 3_600_000])('a standstill of %i ms forgets nobody', (ms) => {
  pass(ms)
  expect(known()).toEqual(all)
  expect(gateways.stands(NEAR)).toBe(true)
})

it('who is not heard by a host that listens, at whatever pace it looks, is dead after 15 s', () => {
  pass(LIMITS.heartbeatLiveMs, 5_000)
  expect(known()).toEqual({ near: new Set(), far: [FAR] })
})

it('what went by before and after a standstill counts, and of it as much as lies between two looks', () => {
  pass(4_000, 1_000)
  pass(20_000)
  expect(known()).toEqual(all)
  pass(4_999, 1_000)
  expect(known()).toEqual(all)
  pass(1, 1)
  expect(known()).toEqual({ near: new Set(), far: [FAR] })
})

it('what was said meanwhile is news: no word of before is too near', () => {
  pass(20_000)
  expect(hear('near')).toBe('accept')
})

it('one whose connection broke is dead however long the host stood still', () => {
  const event = { kind: 'disconnected', peer: NEAR } as const
  bench.run((step, journey) => gateways.onDisconnected(step, journey, event))
  pass(20_000)
  expect(known()).toEqual({ near: new Set([NEXT]), far: [FAR] })
})
