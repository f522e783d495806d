/** Rows 45, 34, 35 and 48: what anybody who reaches the port can do. */
import { expect, test } from 'vitest'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import { STRANGER } from './kit/attacks.ts'
import { CHANNEL, PUBLISHER } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile, joined } = stage()
const FIRST_MS = 1_000

test('before admission there is no sync, no block and no gossip; after 5 s there is no connection', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { limits: { admitDeadlineMs: FIRST_MS } })
  const stranger = await aHostile(fleet)
  await stranger.dial(victim.address)
  const refused = { type: 'refused', code: 'ADMIT_REFUSED' }
  const gossip = stranger
    .openGossip()
    .then(() =>
      stranger.gossip('releases', encodeReleaseGossip({ envelope: fleet.release().bytes, attached: [] })),
    )
  await Promise.all([
    expect(stranger.ask('blocks', { type: 'want', digest: 'a'.repeat(64) as never })).resolves.toMatchObject(
      refused,
    ),
    expect(stranger.ask('sync', { type: 'push', envelopes: [] })).resolves.toMatchObject(refused),
    gossip,
  ])
  await stranger.until('the connection ends', () => stranger.connections === 0)
  expect(await victim.metric('confmesh_gossip_received_total')).toBe(0)
  expect(await victim.peers()).toBe(0)
})

test.each(Object.keys(STRANGER))('%s: refused, and the node serves on', async (name) => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const stranger = await aHostile(fleet)
  await stranger.dial(victim.address)
  const aim = {
    fleet: fleet.root.fleetId,
    root: 1,
    channel: CHANNEL,
    publisher: PUBLISHER,
    keys: fleet.publisherKeys.map(({ id }) => id),
    overheard: [],
  }
  const sent = await STRANGER[name]?.(stranger, aim).catch(() => 1)
  expect(sent).toBeGreaterThan(0)
  const honest = await joined(fleet, victim)
  const release = fleet.release()
  honest.announce(release)
  await victim.runs(release)
  expect((await victim.client.status()).root.version).toBe(1)
})
