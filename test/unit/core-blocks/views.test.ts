/** Whoever's connection broke brings nothing in until others would miss its heartbeat, too. */
import { expect, it } from 'vitest'
import { Views } from '../../../src/core/fetch/views.ts'
import { LIMITS } from '../../../src/limits.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { Bench } from '../core-peers/fakes.ts'

const GONE = peerOfKey(keyNamed('gone'))

it.each([
  ['its own', 'eu', LIMITS.heartbeatLiveMs],
  ['another', 'us', LIMITS.farHeartbeatLiveMs],
])('a gateway of %s region, which others still hear of', (_whose, region, liveMs) => {
  const bench = new Bench({ region: 'eu' })
  bench.journey.gateways = () => [GONE]
  const views = new Views(bench.config)
  views.onDisconnected(GONE, bench.now.monoMs)
  const seen = (afterMs: number) =>
    views.of(bench.journey, region, { ...bench.now, monoMs: bench.now.monoMs + afterMs }).peers
  expect([seen(liveMs - 1), seen(liveMs + 250)]).toEqual([[], [GONE]])
})
