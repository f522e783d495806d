/** Gateways of other regions: how often they are told that this node stands, and how long they count since they were heard. */
import { beforeEach, expect, it } from 'vitest'
import type { RequestId } from '../../../src/core/events.ts'
import { createGateways, type Gateways } from '../../../src/core/gateways.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Name, PeerId } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import { asked, Bench, dialled, hex, requestOf } from '../core-peers/fakes.ts'
import { said } from './said-heartbeats.ts'

const [SELF, NEAR, FAR] = ['self', 'near', 'far'].map((name) => peerOfKey(keyNamed(name))) as [
  PeerId,
  PeerId,
  PeerId,
]
const regionOf = (peer: PeerId): Name => (peer === FAR ? 'us' : 'eu') as Name
const judge: Judge = (peer) => {
  const labels = new Map([['region', regionOf(peer)]])
  const issuer = hex('a') as never
  return { kind: 'admitted', admission: { peer, labels, issuer, notBefore: 0, notAfter: 4e12 } }
}
const signed = (name: string) =>
  heartbeatsOf(keyNamed(name), regionOf(peerOfKey(keyNamed(name))), [])(bench.now.wallMs) as Uint8Array

let bench: Bench
let draw = 0.5
let gateways: Gateways
beforeEach(() => {
  draw = 0.5
  bench = new Bench({
    ...{ self: SELF, region: 'eu', random: () => draw },
    signHeartbeat: (at, stopgap) => heartbeatsOf(keyNamed('self'), 'eu' as Name, [])(at, stopgap),
  })
  gateways = createGateways(bench.config, judge)
  bench.run((step, journey) =>
    gateways.onStarted(step, journey, { kind: 'started', snapshot: EMPTY_SNAPSHOT }),
  )
  pass(4_000)
  link()
})

function pass(ms: number) {
  const effects = []
  for (let left = ms; left > 0; left -= 500) {
    bench.pass(Math.min(500, left))
    effects.push(...bench.run((step, journey) => gateways.onTick(step, journey)))
  }
  return effects
}
function link(region = 'us', heartbeats = [signed('far')]) {
  bench.link(FAR, {}, { region, heartbeats })
  bench.run((step, journey) => gateways.onAdmitted(step, journey, FAR))
}
function lose() {
  bench.run((step, journey) => gateways.onDisconnected(step, journey, { kind: 'disconnected', peer: FAR }))
}
/** How often it is told, as time goes on. */
const tells = (ms: number): number =>
  asked(pass(ms)).filter(
    ({ peer, request: { message } }) => peer === FAR && message.type === 'heartbeats' && !message.want,
  ).length

it('it is told at once, and of nothing new every third time', () => {
  expect([tells(5_000), tells(10_000), tells(6_000), tells(9_000), tells(6_000)]).toEqual([1, 0, 1, 0, 1])
})

it('it is told at once what is new', () => {
  tells(5_000)
  bench.journey.readOnly = 'STORE_FULL'
  expect([tells(6_000), tells(6_000)]).toEqual([1, 0])
})

it('it is told on each connection: what was said on the one before may be lost', () => {
  tells(5_000)
  lose()
  bench.pass(1)
  link()
  expect(tells(5_000)).toBe(1)
})

it('it is told again where it did not answer', () => {
  const [first] = asked(pass(5_000))
  expect(first?.request.message).toMatchObject({ type: 'heartbeats', want: false })
  bench.run((step, journey) => {
    gateways.onRequestFailed(step, journey, first?.id as RequestId)
  })
  expect(tells(5_000)).toBe(1)
})

it('once none is left this node says that it stands as often as before, until nobody can hear of one', () => {
  pass(10_000)
  lose()
  const { farHeartbeatLiveMs, heartbeatMs, heartbeatSkewMs, calmHeartbeatMs } = LIMITS
  const untilMs = heartbeatSkewMs + farHeartbeatLiveMs - heartbeatMs
  expect(said(pass(untilMs)).length).toBeGreaterThanOrEqual(untilMs / heartbeatMs - 1)
  pass(2 * calmHeartbeatMs)
  expect(said(pass(calmHeartbeatMs)).length).toBeLessThanOrEqual(2)
})

it('it counts for three times as long as one of the own region', () => {
  bench.run((step, journey) => {
    gateways.onControl(step, journey, 'heartbeat', signed('near'), NEAR)
  })
  const heard = bench.now.monoMs
  const counts = (afterMs: number) => {
    pass(heard + afterMs - bench.now.monoMs)
    return {
      near: gateways.of('eu').includes(NEAR),
      far: gateways.of('us').includes(FAR),
      stands: gateways.stands(FAR),
    }
  }
  expect(counts(LIMITS.heartbeatLiveMs - 1)).toEqual({ near: true, far: true, stands: true })
  expect(counts(LIMITS.heartbeatLiveMs)).toEqual({ near: false, far: true, stands: true })
  expect(counts(LIMITS.farHeartbeatLiveMs - 1)).toEqual({ near: false, far: true, stands: true })
  // None of another region is left, and one of a fleet without borders counts for minutes.
  expect(counts(LIMITS.farHeartbeatLiveMs)).toMatchObject({ near: true })
})

it('it counts for minutes where the own region has no gateway: it knows no border then, and is calm', () => {
  bench = new Bench({ self: SELF, region: 'eu' })
  gateways = createGateways(bench.config, judge)
  link()
  for (let word = 0; word < 3; word += 1) {
    pass(LIMITS.calmHeartbeatMs)
    expect([gateways.of('us'), gateways.stands(FAR)]).toEqual([[FAR], true])
    const message = { type: 'heartbeats', heartbeats: [signed('far')], want: false } as const
    const request = requestOf(word, FAR, { protocol: 'bridge', message })
    bench.run((step, journey) => gateways.onRequest(step, journey, request))
  }
  pass(LIMITS.calmHeartbeatLiveMs)
  expect([gateways.of('us'), gateways.stands(FAR)]).toEqual([[], false])
})

/** It hears NEAR after each of so many milliseconds, and not of FAR. */
function hears(...gapsMs: readonly number[]): void {
  for (const ms of gapsMs) {
    pass(ms)
    bench.run((step, journey) => {
      gateways.onControl(step, journey, 'heartbeat', signed('near'), NEAR)
    })
  }
}
const countsNear = (afterMs: number): boolean => {
  pass(afterMs)
  return gateways.of('eu').includes(NEAR)
}
/** For longer than one of another region says that there is a border. */
const BRISK = Array.from({ length: 12 }, () => LIMITS.heartbeatMs)

it('one of the own region that speaks as at a border counts no longer for it, also where none is known any more', () => {
  hears(...BRISK)
  expect(countsNear(LIMITS.heartbeatLiveMs - 1)).toBe(true)
  expect(countsNear(1)).toBe(false)
  expect(gateways.stands(NEAR)).toBe(false)
})

it('and for minutes once it has slowed down, or where it was heard twice within seconds, as one that starts is', () => {
  hears(...BRISK, 2 * LIMITS.heartbeatMs)
  expect(countsNear(2 * LIMITS.calmHeartbeatMs)).toBe(true)
  hears(1, LIMITS.heartbeatMs)
  expect(countsNear(2 * LIMITS.calmHeartbeatMs)).toBe(true)
})

it('this node slows down step by step, so that nobody takes it for dead meanwhile', () => {
  pass(10_000)
  lose()
  const { farHeartbeatLiveMs, heartbeatMs, heartbeatSkewMs, calmHeartbeatMs } = LIMITS
  const moments = said(pass(heartbeatSkewMs + farHeartbeatLiveMs + 4 * calmHeartbeatMs)).map(({ at }) => at)
  const gaps = moments.slice(1).map((at, index) => at - (moments[index] ?? 0))
  const steps = gaps.slice(gaps.lastIndexOf(heartbeatMs))
  expect(steps.slice(0, 6)).toEqual([1, 2, 4, 8, 16, 24].map((times) => times * heartbeatMs))
})

/** Whom it asks for all they know, as time goes on. */
const questions = (ms: number): PeerId[] =>
  asked(pass(ms)).flatMap(({ peer, request: { message } }) =>
    message.type === 'heartbeats' && message.want ? [peer] : [],
  )

it('one of the own region is asked for all it knows: over a border an answer costs twenty words', () => {
  bench.link(NEAR, {}, { region: 'eu', heartbeats: [signed('near')] })
  bench.run((step, journey) => gateways.onAdmitted(step, journey, NEAR))
  expect(questions(10_000)).toEqual([NEAR])
})

it('but every so often one abroad: what its whole region has lost it would never hear of', () => {
  bench.link(NEAR, {}, { region: 'eu', heartbeats: [signed('near')] })
  bench.run((step, journey) => gateways.onAdmitted(step, journey, NEAR))
  draw = 1 / LIMITS.maxGateways - 0.01
  expect(questions(10_000)).toEqual([FAR])
})

it('where none of the own region is linked, one of another is asked', () => {
  expect(questions(10_000)).toEqual([FAR])
})

it('one that comes back from another region is none of its old one', () => {
  expect(gateways.of('us')).toEqual([FAR])
  lose()
  link('eu', [])
  expect([gateways.of('us'), gateways.stands(FAR)]).toEqual([[], false])
})

it('says when to come back, and is dialled then: one that was not reached is dialled again and again', () => {
  lose()
  bench.journey.links.delete(FAR)
  pass(5_000)
  // Of one near this node hears that it still stands.
  bench.link(NEAR, {}, { region: 'eu', heartbeats: [signed('far')] })
  bench.run((step, journey) => gateways.onAdmitted(step, journey, NEAR))
  const [address] = dialled(pass(4_000))
  if (address === undefined) throw new Error('it is not dialled')
  const failed = { kind: 'dialFailed', address, code: 'NET_UNREACHABLE' } as const
  bench.run((step, journey) => gateways.onDialFailed(step, journey, failed))
  expect(dialled(pass(10_000))).toContain(address)
  bench.run((step, journey) => gateways.onRefused(step, journey, FAR, LIMITS.linkSwapMs))
  expect(dialled(pass(20_000))).toEqual([])
  expect(gateways.keeps(FAR)).toBe(true)
})
