/** Rows 49, 51 and 62: as much as a peer can send, of everything. */
import { expect, test } from 'vitest'
import { ADMITTED } from './kit/attacks.ts'
import { type AttackedFleet, CHANNEL, PUBLISHER } from './kit/fleet.ts'
import { heapMib } from './kit/heap.ts'
import { agreeing } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const aimAt = ({ root, publisherKeys }: AttackedFleet) => ({
  fleet: root.fleetId,
  root: 1,
  channel: CHANNEL,
  publisher: PUBLISHER,
  keys: publisherKeys.map(({ id }) => id),
  overheard: [],
})

const { fleet: aFleet, victim: aVictim, joined } = stage()

test.each(Object.keys(ADMITTED).filter((name) => !/overheard|replays/.test(name)))(
  '%s: nothing of it is active, and an honest release lands beside it',
  async (name) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    const [flooder, honest] = [await joined(fleet, victim), await joined(fleet, victim)]
    // or it is cut off where three rounds take long
    honest.answers = agreeing
    const aim = aimAt(fleet)
    for (let round = 0; round < 3; round += 1)
      if (flooder.connections > 0) await ADMITTED[name]?.(flooder, aim).catch(() => undefined)
    const release = fleet.release()
    honest.announce(release)
    await victim.runs(release)
    expect((await victim.client.status()).channels).toHaveLength(1)
  },
)

test('channels without end under one pattern: the first come stay, the operator hears of it', async () => {
  const fleet = aFleet()
  const [all, maxChannels] = [3_000, 20]
  const limits = { maxChannels, maxRelayedChannels: 100, maxGossipSeen: 500 }
  // as wide as it takes for each of them to be looked at: two signatures each, and one peer has an eighth
  const victim = await aVictim(fleet, { limits: { ...limits, gossipBurst: all, verifiesBurst: 16 * all } })
  const peer = await joined(fleet, victim)
  // on a slow machine the flood takes longer than a node keeps a peer that answers nothing
  peer.answers = agreeing
  const flood = async (from: number, to: number) => {
    for (let at = from; at < to; at += 1)
      peer.announce(fleet.release({ header: { channel: `pay/flood-${at}` as typeof CHANNEL } }))
    const refused = async () => (await victim.refused('LIMIT_CHANNELS')) >= to - maxChannels
    await until('each is looked at', refused, 40_000)
    return heapMib()
  }
  const before = await flood(0, 1_000)
  const after = await flood(1_000, all)
  // 2 KB for each channel that anything holds
  expect(after - before).toBeLessThan(3)
  expect((await victim.client.status()).channels).toHaveLength(maxChannels)
})

test('as many messages as a peer can make up: no more of them are remembered than the bound says', async () => {
  const fleet = aFleet()
  const maxGossipSeen = 50
  const victim = await aVictim(fleet, { limits: { maxGossipSeen } })
  const peer = await joined(fleet, victim)
  const remembered = () => victim.metric('confmesh_gossip_remembered')
  await ADMITTED['forged releases']?.(peer, aimAt(fleet))
  await until('the flood has come in', async () => (await remembered()) > 1)
  await until('the oldest are forgotten', async () => (await remembered()) === maxGossipSeen)
})
