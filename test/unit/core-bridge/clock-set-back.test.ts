/** A clock that is set back by more than heartbeats may be off: whoever stands is heard again at once. */
import { beforeEach, expect, test } from 'vitest'
import { decodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { createGateways, type Gateways } from '../../../src/core/gateways.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Name } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import { readHeartbeat } from '../../../src/trust/heartbeat.ts'
import { Bench, hex, limitsOf } from '../core-peers/fakes.ts'

const named = (name: string) => peerOfKey(keyNamed(name))
const signed = (name: string) => heartbeatsOf(keyNamed(name), 'eu' as Name, [])
const judge: Judge = (peer) => {
  const labels = new Map([['region', 'eu']])
  const issuer = hex('a') as never
  return { kind: 'admitted', admission: { peer, labels, issuer, notBefore: 0, notAfter: 4e12 } }
}

let bench: Bench
let gateways: Gateways
const hear = (bytes: Uint8Array): string | undefined => {
  let verdict: string | undefined
  bench.run((step, journey) => {
    verdict = gateways.onControl(step, journey, 'heartbeat', bytes, named('relay'))
  })
  return verdict
}
const tick = (): Effect[] => bench.run((step, journey) => gateways.onTick(step, journey))
/** What a long time of this node's own words is said to be of. */
const saidIn = (ms: number): number[] => {
  const at: number[] = []
  for (let left = ms; left > 0; left -= 500) {
    bench.pass(500)
    for (const effect of tick())
      if (effect.kind === 'publish')
        at.push(readHeartbeat(decodeControlGossip(effect.bytes, LIMITS).envelope, LIMITS).heartbeat.at)
  }
  return at
}
/** The clock alone: what has passed is measured by another. */
const setClock = (byMs: number): void => {
  bench.now = { ...bench.now, wallMs: bench.now.wallMs + byMs }
}

function begin(limits: Limits): void {
  bench = new Bench({ self: named('self'), region: 'eu', limits, signHeartbeat: signed('self') })
  gateways = createGateways(bench.config, judge)
  bench.run((step, journey) =>
    gateways.onStarted(step, journey, { kind: 'started', snapshot: EMPTY_SNAPSHOT }),
  )
}

beforeEach(() =>
  begin(
    limitsOf({
      calmHeartbeatMs: LIMITS.heartbeatMs,
      calmHeartbeatLiveMs: LIMITS.heartbeatLiveMs,
    }),
  ),
)

test('what this node says is of the new time, which others take; for a small step later than the last', () => {
  const before = saidIn(12_000)
  setClock(-2 * 3_600_000)
  const after = saidIn(12_000)
  expect(before.length).toBeGreaterThan(1)
  expect(after.length).toBeGreaterThan(1)
  for (const at of after) expect(Math.abs(at - bench.now.wallMs)).toBeLessThan(20_000)
  setClock(-LIMITS.heartbeatSkewMs / 2)
  const last = after.at(-1) as number
  expect(saidIn(6_000).every((at) => at > last)).toBe(true)
})

test('others of a site whose clocks were all ahead are heard again, and what they say is news only once', () => {
  setClock(1_800_000)
  expect(hear(signed('a')(bench.now.wallMs))).toBe('accept')
  bench.pass(5_000)
  setClock(-1_800_000)
  const bytes = signed('a')(bench.now.wallMs)
  expect(hear(bytes)).toBe('accept')
  bench.pass(5_000)
  expect(hear(bytes)).toBe('ignore')
  expect(hear(signed('a')(bench.now.wallMs - 5_001))).toBe('ignore')
  saidIn(12_000)
  expect(gateways.stands(named('a'))).toBe(false)
})

test('of a clock that is a little ahead an old word is none', () => {
  expect(hear(signed('a')(bench.now.wallMs + LIMITS.heartbeatSkewMs))).toBe('accept')
  bench.pass(5_000)
  expect(hear(signed('a')(bench.now.wallMs))).toBe('ignore')
})

test('who stands again, after others stood and its clock went back a little, says a later time than before', () => {
  const last = saidIn(12_000).at(-1) as number
  // Proven ones, who rank above a new one.
  for (const name of Array.from({ length: LIMITS.maxGateways }, (_, at) => `other ${at}`))
    expect(hear(signed(name)(bench.now.wallMs))).toBe('accept')
  tick()
  expect(gateways.of('eu')).not.toContain(named('self'))
  setClock(-LIMITS.heartbeatSkewMs / 2)
  const again = saidIn(30_000)
  expect(again.length).toBeGreaterThan(0)
  expect(again.every((at) => at > last)).toBe(true)
})

test('a gateway whose clock was set back lives, though each of its words is of a moment after the one before', () => {
  begin(LIMITS)
  const { wallMs } = bench.now
  for (const word of [0, 1, 2, 3, 4]) {
    saidIn(LIMITS.calmHeartbeatMs)
    setClock(-LIMITS.calmHeartbeatMs)
    expect(hear(signed('a')(wallMs + word))).toBe('accept')
  }
  saidIn(LIMITS.heartbeatLiveMs * 2)
  expect(gateways.of('eu')).toContain(named('a'))
})
