/** Row 78: gateways that do not exist, heartbeats that are forged or old. */
import { expect, test } from 'vitest'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import type { Name } from '../../src/model/ids.ts'
import { inventedHeartbeat } from './kit/bridge-attacks.ts'
import { bridge, carried, FAR, gatewaysKnown, itemOf, stand } from './kit/gateway.ts'
import { agreeing, type Hostile } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile, joined } = stage()

const tell = (peer: Hostile, ...heartbeats: readonly Uint8Array[]) =>
  bridge(peer, { type: 'heartbeats', heartbeats, want: false })

test('peers that nobody admitted, or not to that region, are no gateways: what they push counts for nothing', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const far = await stand(await aHostile(fleet, { region: FAR }), victim)
  const liar = await joined(fleet, victim)
  await tell(
    liar,
    inventedHeartbeat(liar),
    liar.heartbeat({ region: FAR as Name }),
    liar.heartbeat({ chain: [] }),
  )
  for (const envelope of [inventedHeartbeat(liar), liar.heartbeat({ region: FAR as Name })])
    liar.control('heartbeat', envelope)
  await victim.metricAtLeast('confmesh_gossip_received_total', 2, 'topic="control"')
  const known = await gatewaysKnown(liar)
  expect(known.filter((peer) => peer !== victim.id)).toEqual([far.id])
  const release = fleet.release()
  const push = { type: 'announce', item: itemOf(release.id), bytes: carried(release) } as const
  expect(await bridge(liar, push)).toMatchObject({ type: 'refused', code: 'NET_PROTOCOL' })
  expect(await victim.active()).toBeUndefined()
  expect(await bridge(far, push)).toEqual({ type: 'noted' })
  await victim.runs(release)
})

test.each(['by gossip', 'over the bridge'])(
  'a heartbeat forged in the name of another, %s, costs whoever brings it its connection',
  async (way) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    const [liar, other] = [await joined(fleet, victim), await aHostile(fleet)]
    liar.answers = agreeing
    const forged = liar.heartbeat({ peer: other.id, chain: fleet.chainFor(other.id).map(encodeEnvelope) })
    if (way === 'by gossip') liar.control('heartbeat', forged)
    else await tell(liar, forged).catch(() => undefined)
    await liar.until('its connection ends', () => liar.connections === 0)
    await victim.refusedAtLeast('TRUST_UNAUTHORISED')
    const honest = await joined(fleet, victim)
    expect(await gatewaysKnown(honest)).not.toContain(other.id)
    const release = fleet.release()
    honest.announce(release)
    await victim.runs(release)
  },
)

test('heartbeats of a gateway that has gone, said again by others, do not raise it', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const far = await stand(await aHostile(fleet, { region: FAR }), victim)
  const liar = await joined(fleet, victim)
  const [said] = far.heartbeats as [Uint8Array]
  const [older, newer] = [-1_000, 1_000].map((ms) => far.heartbeat({ at: Date.now() + ms })) as [
    Uint8Array,
    Uint8Array,
  ]
  expect(await gatewaysKnown(liar)).toContain(far.id)
  await far.stop()
  await until('it is gone', async () => (await victim.peers()) === 1)
  await tell(liar, said, older)
  expect(await gatewaysKnown(liar)).not.toContain(far.id)
  // what it said last of all would: the answer shows who counts
  await tell(liar, newer)
  expect(await gatewaysKnown(liar)).toContain(far.id)
  const release = fleet.release()
  liar.announce(release)
  await victim.runs(release)
})

test('whoever invents gateways without end leaves room for the true ones that others bring', async () => {
  const fleet = aFleet()
  const limits = { heartbeatChecksPerSecond: 0, heartbeatChecksBurst: 16 }
  const victim = await aVictim(fleet, { limits })
  const liar = await joined(fleet, victim)
  for (let n = 0; n < 20; n += 1)
    await tell(liar, ...Array.from({ length: 8 }, () => inventedHeartbeat(liar)))
  const far = await stand(await aHostile(fleet, { region: FAR }), victim)
  const release = fleet.release()
  const item = itemOf(release.id)
  expect(await bridge(far, { type: 'announce', item, bytes: carried(release) })).toEqual({ type: 'noted' })
  await victim.runs(release)
})
