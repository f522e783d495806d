/** Rows 45, 34, 35 and 48: what anybody who reaches the port can do, and with wrong bytes whoever is admitted. */
import { expect, test } from 'vitest'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import type { Code } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import { frame } from '../../src/net/framing.ts'
import { STRANGER } from './kit/attacks.ts'
import { CBOR_BOMBS, LENGTH_BOMBS } from './kit/bombs.ts'
import { CHANNEL, PUBLISHER } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile, joined } = stage()

test('before admission there is no sync, no block and no gossip; after 5 s there is no connection', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { limits: { admitDeadlineMs: LIMITS.admitDeadlineMs } })
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

/** What each is refused with: that a node stays up does not say that it looked. */
const REFUSED_WITH: Readonly<Record<string, Code>> = {
  'lengths that lie': 'LIMIT_BYTES',
  'bombs as requests': 'CODEC_MALFORMED',
  'junk as requests': 'CODEC_MALFORMED',
  'half messages': 'LIMIT_TIMEOUT',
  'streams without end': 'ADMIT_REFUSED',
  'admission without end': 'ADMIT_REFUSED',
  'roots asked without end': 'ADMIT_REFUSED',
  forks: 'TRUST_ROOT_INVALID',
  'forged submissions': 'TRUST_UNAUTHORISED',
  'blocks nobody asked for': 'BLOCK_UNWANTED',
  'questions without end': 'LIMIT_RATE',
  'forged leases': 'ADMIT_REFUSED',
  'root bombs by hand': 'TRUST_ROOT_INVALID',
}

test.each(Object.keys(STRANGER))('%s: refused, and the node serves on', async (name) => {
  const fleet = aFleet()
  // some last for as long as one may take to be admitted, in which the honest one has to be
  const limits = { admitDeadlineMs: 8_000, publishDeadlineMs: 500 }
  // so few that a slow host does not spread its questions over what is allowed
  const asks = { publishAsksBurst: 50, publishAsksPerSecond: 1 }
  const victim = await aVictim(fleet, { seed: true, limits: { ...limits, ...asks } })
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
  // cut off in the middle, as it may be
  await STRANGER[name]?.(stranger, aim).catch(() => undefined)
  await victim.refusedAtLeast(REFUSED_WITH[name] ?? 'none')
  const honest = await joined(fleet, victim)
  const release = fleet.release()
  honest.announce(release)
  await victim.runs(release)
  expect((await victim.client.status()).root.version).toBe(1)
})

/** Less may stand in their requests, outside of byte strings, than ten thousand maps take. */
const OF_FEW_WORDS = ['publish', 'sync', 'blocks']
const wrongFor = (protocol: string) => [
  ...Object.entries(LENGTH_BOMBS).map(([what, bytes]) => ({ what, bytes, code: 'LIMIT_BYTES' })),
  ...Object.entries(CBOR_BOMBS).map(([what, bomb]) => ({
    what,
    bytes: frame([bomb], bomb.length).subarray(),
    code:
      what === 'ten thousand empty maps' && OF_FEW_WORDS.includes(protocol)
        ? 'LIMIT_BYTES'
        : 'CODEC_MALFORMED',
  })),
]

test.each(['admit', 'publish'])(
  '%s: the first wrong bytes cut a stranger off, whichever they are',
  async (protocol) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet, { seed: true })
    for (const { what, bytes, code } of wrongFor(protocol)) {
      const before = await victim.refused(code)
      const stranger = await aHostile(fleet)
      await stranger.dial(victim.address)
      const stream = await stranger.stream(protocol)
      stream.send(bytes)
      await stranger.until(`${what} cuts it off`, () => stranger.connections === 0)
      await stranger.stop()
      expect([what, (await victim.refused(code)) - before]).toEqual([what, 1])
    }
  },
)

test.each(['sync', 'blocks', 'bridge'])(
  '%s: the first wrong bytes cut an admitted peer off, whichever they are',
  async (protocol) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    for (const { what, bytes, code } of wrongFor(protocol)) {
      const before = await victim.refused(code)
      const peer = await joined(fleet, victim)
      ;(await peer.stream(protocol)).send(bytes)
      await peer.until(`${what} cuts it off`, () => peer.connections === 0)
      await peer.stop()
      expect([what, (await victim.refused(code)) - before]).toEqual([what, 1])
    }
  },
)

test('streams that never came to be do not count as sent', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const stranger = await aHostile(fleet)
  await stranger.dial(victim.address)
  const burst = STRANGER['streams without end']?.(stranger, {} as never)
  await stranger.stop()
  await burst
  expect(stranger.written).toBe(0)
})
