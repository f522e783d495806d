/** Rows 28, 29 and 31: a release that has expired, floors that are lost, a release that fails its health check. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Channel } from '../../src/model/ids.ts'
import { CHANNEL, type MadeRelease } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'
import { until, type Victim } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile, joined } = stage()
const ORDERED = 'confmesh_ordered_total'
const PAST = Math.floor(Date.now() / 1_000) * 1_000 - 1_000
const OTHER = 'pay/other' as Channel

/** Every byte of the newest release of a channel is here, and nothing it says itself keeps it from being activated. */
const hasWhole = (victim: Victim, channel: Channel): Promise<void> =>
  until(`${channel} is whole`, async () => {
    const { channels } = await victim.client.status()
    return channels.some(
      (entry) => entry.channel === channel && entry.heads.length > 0 && entry.gate === null,
    )
  })

test('an expired release is ordered and not activated, by a new node and by one that runs another', async () => {
  const fleet = aFleet()
  const [fresh, running] = [await aVictim(fleet), await aVictim(fleet)]
  const [one, two] = [await joined(fleet, fresh), await joined(fleet, running)]
  const before = fleet.release({ counter: 1 })
  two.announce(before)
  await running.runs(before)
  const expired = fleet.release({ counter: 2, header: { expires: PAST } })
  for (const peer of [one, two]) peer.announce(expired)
  for (const victim of [fresh, running]) await victim.refusedAtLeast('ACTIVATE_EXPIRED')
  expect([await fresh.active(), await running.active()]).toEqual([undefined, before.id])
  const after = fleet.release({ counter: 3 })
  one.announce(after)
  await fresh.runs(after)
})

test.each([
  // below the floor, and not known to have been replaced: shown as a head, not activated
  ['store', ['store'], (victim: Victim) => victim.metricAtLeast(ORDERED, 1, 'CONCURRENT')],
  ['floor file', ['floor'], (victim: Victim) => victim.refusedAtLeast('ORDER_STALE')],
  // a new node again: it hears others out before it activates anything
  ['store and floor file', ['store', 'floor'], (victim: Victim) => victim.metricAtLeast(ORDERED, 1, 'NEW')],
] as const)('after the %s is lost an old release does not come back', async (_what, lost, taken) => {
  const fleet = aFleet()
  const first = await aVictim(fleet)
  const [old, newest] = [1, 2].map((counter) => fleet.release({ counter })) as [MadeRelease, MadeRelease]
  for (const release of [old, newest]) {
    // a new one each time: whoever answers no comparison is cut off after some seconds
    const peer = await joined(fleet, first)
    peer.announce(release)
    await first.runs(release)
  }
  await first.stop(true)
  for (const folder of lost) rmSync(join(first.dir, 'data', folder), { recursive: true })
  const seeds = [`/ip4/127.0.0.1/tcp/1/p2p/${(await aHostile(fleet)).id}`]
  const victim = await aVictim(fleet, { dir: first.dir, seeds, limits: { floorLostWaitMs: 12_000 } })
  const [thief, honest] = [await joined(fleet, victim), await joined(fleet, victim)]
  thief.announce(old)
  await taken(victim)
  // one of another channel goes the same way after it: what was to become of the old one has, once that is through
  thief.announce(fleet.release({ header: { channel: OTHER } }))
  await hasWhole(victim, OTHER)
  expect(await victim.active()).toBe(lost[0] === 'store' ? undefined : newest.id)
  honest.announce(newest)
  await victim.runs(newest)
  const lived = (await victim.client.channel(CHANNEL)).history.map(({ release }) => release)
  expect(lived).toEqual(lost[0] === 'store' ? [] : [old.id])
})

test('a release that the health check fails is left for the one before, and not tried again', async () => {
  const fleet = aFleet()
  const check = ['/bin/sh', '-c', '! grep -q broken "$CONFMESH_DIR/app.yaml"']
  const victim = await aVictim(fleet, {
    materialize: true,
    config: { health: { command: check, timeoutMs: 10_000, soakMs: 0 } },
  })
  const peer = await joined(fleet, victim)
  const good = fleet.release({ counter: 1, files: { 'app.yaml': 'good' } })
  peer.announce(good)
  await victim.runs(good)
  const bad = fleet.release({ counter: 2, files: { 'app.yaml': 'broken' } })
  peer.announce(bad)
  await victim.refusedAtLeast('ACTIVATE_UNHEALTHY')
  await victim.runs(good)
  const again = await joined(fleet, victim)
  again.announceBare(bad)
  await victim.metricAtLeast('confmesh_duplicates_total', 1)
  expect(await victim.active()).toBe(good.id)
  const mended = fleet.release({ counter: 3, files: { 'app.yaml': 'mended' } })
  peer.announce(mended)
  await victim.runs(mended)
  // one activation is through before the next begins: a second try would be counted by now
  expect(await victim.metric('confmesh_activations_total', 'outcome="unhealthy"')).toBe(1)
})
