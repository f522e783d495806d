/** Row 1: a header is forged, or one byte of it changed. */
import { expect, test } from 'vitest'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile } = stage()

test('with any byte flipped nothing is accepted from the wire, and the honest release still is', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const hostile = await aHostile(fleet)
  await hostile.join(victim.address)
  const honest = fleet.release()
  const messages = [...honest.bytes.keys()].map((at) => {
    const envelope = honest.bytes.slice()
    envelope[at] = (envelope[at] ?? 0) ^ 1
    return encodeReleaseGossip({ envelope, attached: [] })
  })
  hostile.gossip('releases', ...messages)
  await victim.refusedAtLeast('TRUST_UNAUTHORISED', 10)
  // the forger is not listened to any more: somebody else brings it
  const honestPeer = await aHostile(fleet)
  await honestPeer.join(victim.address)
  honestPeer.announce(honest)
  await victim.runs(honest)
  expect((await victim.client.status()).channels).toHaveLength(1)
  expect(await victim.metric('confmesh_ordered_total', 'verdict="NEW"')).toBe(1)
})
