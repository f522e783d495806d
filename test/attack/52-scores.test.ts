/** Rows 52 and 53: whose score falls, and whose must not. */
import { expect, test } from 'vitest'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import { agreeing } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()
const score = 'confmesh_gossip_score_min'

test('a relay is not blamed for what is old, double, ahead or a twin; it is for what proves itself forged', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const relay = await joined(fleet, victim)
  const [old, newest] = [fleet.release({ counter: 1 }), fleet.release({ counter: 2 })]
  relay.announce(newest)
  await victim.runs(newest)
  const harmless = [
    old,
    fleet.release({ counter: 2, files: { 'app.yaml': 'a twin' } }),
    fleet.release({ counter: 3, header: { root: 2 } }),
    { ...newest, bytes: fleet.release({ header: newest.header, keys: fleet.publisherKeys.slice(1) }).bytes },
  ]
  for (const release of harmless) relay.announceBare(release)
  const verdicts = () => victim.metric('confmesh_gossip_verdicts_total', 'verdict="ignore"')
  await victim.refusedAtLeast('ORDER_AHEAD')
  await victim.metricAtLeast('confmesh_duplicates_total', 1)
  expect(await verdicts()).toBe(3)
  expect(await victim.metric('confmesh_gossip_verdicts_total', 'verdict="reject"')).toBe(0)
  relay.announceBare(fleet.release({ counter: 4, keys: [fleet.rootKey, fleet.admissionKey] }))
  await until('its score falls', async () => (await victim.metric(score)) < 0)
  // by that one alone: each costs 20
  expect(await victim.metric(score)).toBeGreaterThan(-21)
})

test('between a liar and a node an honest relay passes on nothing false, and keeps its score', async () => {
  const fleet = aFleet()
  const relay = await aVictim(fleet)
  const behind = await aVictim(fleet, { seeds: [relay.address] })
  const liar = await joined(fleet, relay)
  await behind.metricAtLeast('confmesh_gossip_mesh_peers', 1, 'topic="releases"')
  for (let counter = 10; counter < 40; counter += 1)
    liar.announce(fleet.release({ counter, keys: [fleet.rootKey, fleet.admissionKey] }))
  liar.gossip('releases', encodeReleaseGossip({ envelope: Buffer.from('no envelope'), attached: [] }))
  // not all thirty: whoever has sent a few of them is listened to no longer
  await relay.refusedAtLeast('TRUST_UNAUTHORISED', 5)
  const honest = await joined(fleet, relay)
  const release = fleet.release()
  honest.announce(release)
  await behind.runs(release)
  expect(await behind.metric(score)).toBe(0)
  expect(await behind.refused('TRUST_UNAUTHORISED')).toBe(0)
  expect(await relay.metric('confmesh_gossip_verdicts_total', 'verdict="reject"')).toBeGreaterThanOrEqual(5)
})

test('fifty quiet nodes behind one address keep their scores and their links', async () => {
  const fleet = aFleet()
  // a seed: other nodes have 32 peers at most
  const victim = await aVictim(fleet, { seed: true })
  const quiet: Awaited<ReturnType<typeof joined>>[] = []
  // one after the other: of strangers one address may have only so many
  while (quiet.length < 50) {
    const node = await joined(fleet, victim)
    // whoever answers no comparison is cut off, which on a slow machine may be before the last is in
    node.answers = agreeing
    quiet.push(node)
  }
  const release = fleet.release()
  quiet[0]?.announce(release)
  await victim.runs(release)
  expect(await victim.metric(score)).toBe(0)
  expect(await victim.peers()).toBe(50)
})
