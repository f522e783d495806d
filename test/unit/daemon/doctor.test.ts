import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkClock, judgeClock, type SeedClock } from '../../../src/daemon/doctor/clock.ts'
import { judgeBeacons } from '../../../src/daemon/doctor/freshness.ts'
import { checkRoot } from '../../../src/daemon/doctor/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { KeyId, PeerId } from '../../../src/model/ids.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { EXPIRES, rootKeys, rootOne } from '../trust/fixtures.ts'

afterEach(() => {
  vi.useRealTimers()
})

const NOW_MS = Date.UTC(2030, 0, 1)
const ALLOWED_MS = 300_000
const seed = (name: string, aheadMs: number, withinMs = 10): SeedClock => ({
  peer: name as PeerId,
  aheadMs,
  withinMs,
})
const judge = (...clocks: SeedClock[]) => judgeClock(NOW_MS, clocks, ALLOWED_MS)

test.each([
  [[], 'no seed said its own to compare it with'],
  [[seed('a', 400)], 'within a second of the seed'],
  [[seed('a', 12_000), seed('b', 11_000), seed('c', 12_500)], '12 s ahead of 3 seeds'],
  [[seed('a', -90_000)], '90 s behind the seed'],
  // Half of a slow round trip may be all of the difference.
  [[seed('a', 305_000, 6_000)], '5 min ahead of the seed'],
])('clocks that agree: %o', (clocks, text) => {
  expect(judge(...clocks)).toMatchObject({ ok: true, text: expect.stringContaining(text) })
})

test.each([
  [
    [seed('a', 600_000)],
    '10 min ahead of the seed, more than the 5 min that the root allows',
    'set the clock',
  ],
  [[seed('a', -90_000_000), seed('b', -90_000_500)], '25.0 h behind 2 seeds', 'set the clock'],
  [
    [seed('a', 600_000), seed('b', 601_000), seed('c', 3)],
    '10 min ahead of 3 seeds',
    'set the clock and keep it',
  ],
  [
    [seed('a', 0), seed('b', 5), seed('odd', -600_000)],
    '10 min behind seed odd',
    'set the clock of that seed',
  ],
])('a clock that is off: %o', (clocks, text, advice) => {
  expect(judge(...clocks)).toMatchObject({
    ok: false,
    text: expect.stringContaining(text),
    advice: expect.stringContaining(advice),
  })
})

test('beacons of a running node: fresh, late, and doubted', () => {
  const metrics = (ageS: number, doubted: number) =>
    `confmesh_beacon_heard 1\nconfmesh_beacon_age_seconds ${ageS}\nconfmesh_refused_total{code="SYNC_CLOCK_OR_DELAY"} ${doubted}\n`
  const bound = { keys: ['a' as KeyId], maxAgeS: 60 }
  expect(judgeBeacons(metrics(12.4, 0), bound)).toMatchObject({
    ok: true,
    text: expect.stringMatching(/12 s ago$/),
  })
  expect(judgeBeacons(metrics(12, 3), bound)).toMatchObject({
    ok: true,
    text: expect.stringContaining('doubted its clock'),
  })
  expect(judgeBeacons(metrics(61, 0), bound)).toMatchObject({
    ok: false,
    text: expect.stringContaining('in 60 s'),
  })
  expect(judgeBeacons('', bound)).toMatchObject({ ok: false })
})

test.each([
  [12, true],
  [61, false],
])('none that a running node ever heard: started %i s ago', (ageS, ok) => {
  const metrics = `confmesh_beacon_heard 0\nconfmesh_beacon_age_seconds ${ageS}\n`
  const finding = judgeBeacons(metrics, { keys: ['a' as KeyId], maxAgeS: 60 })
  expect(finding).toMatchObject({ ok, text: expect.stringContaining(`none yet, it started ${ageS} s ago`) })
  expect(finding.text).not.toContain('newest')
})

test('a node of an older version does not say whether it heard one: it says when', () => {
  const finding = judgeBeacons('confmesh_beacon_age_seconds 12\n', { keys: ['a' as KeyId], maxAgeS: 60 })
  expect(finding).toMatchObject({ ok: true, text: expect.stringMatching(/newest 12 s ago$/) })
})

test('where the root names no freshness key no beacon is due, however long the node runs', () => {
  expect(judgeBeacons('confmesh_beacon_age_seconds 86400\n', { keys: [], maxAgeS: 60 })).toMatchObject({
    ok: true,
    text: expect.stringContaining('no freshness key'),
  })
})

test('a root that cannot be read leaves clocks what init writes into one: 300 s', async () => {
  const config = { root: '/nowhere/root.json', data: '/nowhere' } as NodeConfig
  expect(await checkClock(config, [seed('a', 290_000)])).toMatchObject({ ok: true })
  expect(await checkClock(config, [seed('a', 310_000)])).toMatchObject({ ok: false })
})

test.each([
  [-1, 'in 1 days'],
  [1, 'its time is over'],
])(
  'a root that ends, or has ended, on one host alone tells of its clock: %i h after',
  async (hours, text) => {
    vi.useFakeTimers({ toFake: ['Date'], now: EXPIRES + hours * 3_600_000 })
    const data = mkdtempSync(join(tmpdir(), 'confmesh-doctor-'))
    const root = join(data, 'root.json')
    writeFileSync(root, encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys)))
    const finding = await checkRoot({ root, data, limitsInForce: LIMITS } as NodeConfig)
    rmSync(data, { recursive: true })
    expect(finding).toMatchObject({
      ok: false,
      text: expect.stringContaining(text),
      advice: expect.stringMatching(
        /^confmesh trust renew.*on this host alone: its clock is wrong, or it lacks/,
      ),
    })
  },
)
