/** Who of many counts as a gateway, and where: one that moves, and those that rank too far behind. */
import { beforeEach, expect, test } from 'vitest'
import type { GossipVerdict } from '../../../src/core/effects.ts'
import { createGateways, type Gateways } from '../../../src/core/gateways.ts'
import { weight } from '../../../src/core/rendezvous.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Name } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import { Bench, hex, limitsOf, requestOf } from '../core-peers/fakes.ts'

/** A chain of one link that is the name of a region: whoever shows it is of that region. */
const judge: Judge = (peer, [link]) => {
  const labels = new Map([['region', new TextDecoder().decode(link)]])
  const issuer = hex('a') as never
  return { kind: 'admitted', admission: { peer, labels, issuer, notBefore: 0, notAfter: 4e12 } }
}
const named = (name: string) => peerOfKey(keyNamed(name))
const heartbeat = (name: string, region = 'eu') =>
  heartbeatsOf(keyNamed(name), region as Name, [new TextEncoder().encode(region)])(bench.now.wallMs)

let bench: Bench
let gateways: Gateways
const hear = (bytes: Uint8Array, from = 'relay'): GossipVerdict | undefined => {
  let verdict: GossipVerdict | undefined
  bench.run((step, journey) => {
    verdict = gateways.onControl(step, journey, 'heartbeat', bytes, named(from))
  })
  return verdict
}

beforeEach(() => {
  bench = new Bench({ self: named('self'), region: 'eu' })
  gateways = createGateways(bench.config, judge)
})

test('one that moves to another region is a gateway there, and no longer here', () => {
  hear(heartbeat('a'))
  expect(gateways.of('eu')).toEqual([named('a')])
  bench.pass(LIMITS.heartbeatMs)
  const teller = named('teller')
  bench.link(teller, {}, { region: 'us' })
  const message = { type: 'heartbeats', heartbeats: [heartbeat('a', 'us')], want: false } as const
  bench.run((step, journey) =>
    gateways.onRequest(step, journey, requestOf(1, teller, { protocol: 'bridge', message })),
  )
  expect([gateways.of('eu'), gateways.of('us')]).toEqual([[], [named('a')]])
})

test('whoever ranks far behind is heard, and passed on to nobody', () => {
  const count = 2 * LIMITS.maxGateways + 1
  const names = Array.from({ length: count }, (_, at) => `other ${at}`)
  const ranked = names.sort((a, b) => (weight('eu', named(a)) > weight('eu', named(b)) ? -1 : 1))
  const verdicts = ranked.map((name) => hear(heartbeat(name)))
  expect(verdicts).toEqual([...Array.from({ length: count - 1 }, () => 'accept'), 'ignore'])
})

test('one peer that brings new ones without end leaves room for those of others', () => {
  const limits = limitsOf({ heartbeatChecksPerSecond: 0, heartbeatChecksBurst: 16 })
  bench = new Bench({ self: named('self'), region: 'eu', limits })
  gateways = createGateways(bench.config, judge)
  const verdicts = Array.from({ length: 20 }, (_, at) => hear(heartbeat(`invented ${at}`), 'liar'))
  expect(verdicts.filter((verdict) => verdict === 'accept')).toHaveLength(2)
  expect(hear(heartbeat('true'), 'liar')).toBe('ignore')
  expect(hear(heartbeat('true'))).toBe('accept')
})
