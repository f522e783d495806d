/** What a gateway says of itself once it can say nothing more, or is to be the last. */
import { beforeEach, describe, expect, it } from 'vitest'
import { decodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { createGateways, type Gateways } from '../../../src/core/gateways.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Name, PeerId } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import { asked, Bench, hex } from '../core-peers/fakes.ts'
import { said } from './said-heartbeats.ts'

const named = (name: string): PeerId => peerOfKey(keyNamed(name))
const [SELF, OTHER, FAR] = [named('self'), named('other'), named('far')]
const regions = new Map([[FAR, 'us']])
const judge: Judge = (peer) => {
  const labels = new Map([['region', regions.get(peer) ?? 'eu']])
  const issuer = hex('a') as never
  return { kind: 'admitted', admission: { peer, labels, issuer, notBefore: 0, notAfter: 4e12 } }
}

let bench: Bench
let gateways: Gateways
/** A node of the region that hears every word. */
let listener: Gateways
let signs: number
let hasRoom: boolean
const signed = (name: string) => heartbeatsOf(keyNamed(name), (regions.get(named(name)) ?? 'eu') as Name, [])

const hear = (by: Gateways, bytes: Uint8Array, from: PeerId) =>
  bench.run((step, journey) => {
    by.onControl(step, journey, 'heartbeat', bytes, from)
  })
/** Time goes on: `OTHER` stands all the while, and the listener hears both. */
const pass = (ms: number, otherStands = true): Effect[] => {
  const all: Effect[] = []
  for (let left = ms; left > 0; left -= 500) {
    bench.pass(500)
    if (otherStands && left % LIMITS.heartbeatMs === 0)
      for (const by of [gateways, listener]) hear(by, signed('other')(bench.now.wallMs), OTHER)
    const effects = bench.run((step, journey) => gateways.onTick(step, journey))
    for (const effect of effects)
      if (effect.kind === 'publish') hear(listener, decodeControlGossip(effect.bytes, LIMITS).envelope, SELF)
    all.push(...effects)
  }
  return all
}

beforeEach(() => {
  signs = 0
  hasRoom = true
  bench = new Bench({
    ...{ self: SELF, region: 'eu' },
    signHeartbeat: (at, stopgap) => {
      signs += 1
      return hasRoom ? signed('self')(at, stopgap) : undefined
    },
  })
  gateways = createGateways(bench.config, judge)
  listener = createGateways(
    { ...bench.config, self: named('listener'), signHeartbeat: () => undefined },
    judge,
  )
  for (const by of [gateways, listener])
    bench.run((step, journey) => by.onStarted(step, journey, { kind: 'started', snapshot: EMPTY_SNAPSHOT }))
})

describe('whose disk takes nothing any more', () => {
  it.each([
    ['long after it spoke', 400_000],
    ['right after it spoke, when nobody would take another word', 500],
  ])('says once that it is the last, %s, and is counted no more', (_what, ms) => {
    while (said(pass(500)).length === 0);
    pass(ms)
    expect(listener.of('eu')).toContain(SELF)
    bench.journey.readOnly = 'STORE_FULL'
    expect(said(pass(2 * LIMITS.heartbeatMs))).toMatchObject([{ peer: SELF, stopgap: 'seed' }])
    for (const by of [gateways, listener]) expect(by.of('eu')).toEqual([OTHER])
    expect(said(pass(400_000))).toEqual([])
    expect(gateways.heartbeats()).toHaveLength(1)
  })

  it('is counted again once its disk takes writes, however soon that is', () => {
    while (said(pass(500)).length === 0);
    pass(400_000)
    bench.journey.readOnly = 'STORE_FULL'
    pass(2_000)
    bench.journey.readOnly = undefined
    pass(2 * LIMITS.heartbeatMs)
    expect(listener.of('eu')).toContain(SELF)
  })

  it('tells the gateways of other regions, too', () => {
    bench.link(FAR, {}, { region: 'us', heartbeats: [signed('far')(bench.now.wallMs)] })
    bench.run((step, journey) => gateways.onAdmitted(step, journey, FAR))
    pass(LIMITS.heartbeatMs)
    bench.journey.readOnly = 'STORE_FULL'
    const told = asked(pass(2 * LIMITS.heartbeatMs)).flatMap(({ peer, request }) =>
      request.protocol === 'bridge' && request.message.type === 'heartbeats' && !request.message.want
        ? [[peer, request.message.heartbeats.length]]
        : [],
    )
    expect(told).toEqual([[FAR, 1]])
  })

  it('stands on as the last where nobody else does', () => {
    while (said(pass(500, false)).length === 0);
    bench.journey.readOnly = 'STORE_FULL'
    expect(said(pass(20_000, false)).map(({ stopgap }) => stopgap)).toEqual(['seed', 'seed'])
    expect(listener.of('eu')).toEqual([SELF])
  })
})

describe('who can say nothing', () => {
  it('signs nothing at each look, and stands as soon as it can', () => {
    hasRoom = false
    pass(24_000)
    expect(signs).toBe(5)
    hasRoom = true
    expect(said(pass(5_000))).toHaveLength(1)
  })

  it('stands no more where it stood', () => {
    while (said(pass(500)).length === 0);
    expect(gateways.of('eu')).toContain(SELF)
    hasRoom = false
    pass(130_000)
    expect(gateways.of('eu')).toEqual([OTHER])
    expect(gateways.heartbeats()).toHaveLength(1)
  })
})
