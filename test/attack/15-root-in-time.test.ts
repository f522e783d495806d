/** Rows 15, 16 and 18: keys of an old root in a thief's hands, a root that has expired, a publisher that is removed. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../src/cli/generate-key.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import type { Name } from '../../src/model/ids.ts'
import { parsePattern } from '../../src/model/names.ts'
import { addPublisher, removePublisher, renew } from '../../src/trust/edit.ts'
import { successor } from '../../src/trust/successor.ts'
import { PUBLISHER } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined, hostile: aHostile } = stage()
const HOUR_MS = 3_600_000
const PAST = Math.floor(Date.now() / 1_000) * 1_000 - HOUR_MS

test('root keys that are out of use move no node that is past them; one that followed them hears of the fork', async () => {
  const fleet = aFleet()
  const thief = generatePrivateKey('ed25519').key
  const fresh = generatePrivateKey('ed25519').key
  const one = fleet.root
  const two = successor(one, { root: { keys: [fresh.id], threshold: 1 }, newKeys: [fresh.public] })
  const own = {
    name: 'thief' as Name,
    keys: [thief.public],
    threshold: 1,
    patterns: [parsePattern('pay/**')],
  }
  const forged = addPublisher(one, own, { replace: false })
  const [past, young] = [await aVictim(fleet), await aVictim(fleet)]
  const [guest, host] = [await joined(fleet, past), await joined(fleet, young)]
  const honest = encodeEnvelope(fleet.signedRoot(two, [fleet.rootKey, fresh]))
  const forks = [forged, renew(forged, one.expires + HOUR_MS)].map((root) =>
    encodeEnvelope(fleet.signedRoot(root)),
  )
  guest.control('root', honest)
  await past.rootVersion(2)
  for (const root of forks) guest.control('root', root)
  await past.refusedAtLeast('TRUST_ROOT_FORK')
  await past.refusedAtLeast('TRUST_ROOT_UNAUTHORISED')
  const theft = fleet.release({ keys: [thief], header: { publisher: 'thief' as Name, root: 1 } })
  guest.announce(theft)
  await past.refusedAtLeast('TRUST_UNAUTHORISED')
  expect(await past.active()).toBeUndefined()
  expect((await past.client.status()).root.version).toBe(2)
  // a node with nothing but the old root cannot know better, until somebody shows it the other
  host.control('root', forks[0] as Uint8Array)
  await young.rootVersion(2)
  host.control('root', honest)
  await young.refusedAtLeast('TRUST_ROOT_FORK')
  expect(await young.metric('confmesh_root_fork')).toBe(1)
})

test('under an expired root what runs is served, what is new is ordered and waits, until the root is renewed', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const [first, second] = [fleet.release({ counter: 1 }), fleet.release({ counter: 2 })]
  peer.announce(first)
  await victim.runs(first)
  peer.control('root', fleet.rotate(renew(fleet.root, PAST)))
  await victim.rootVersion(2)
  peer.announce(second)
  await victim.refusedAtLeast('TRUST_ROOT_EXPIRED')
  const waiting = await victim.client.channel('pay/prod')
  expect([waiting.active?.release, waiting.gate]).toEqual([first.id, 'root-expired'])
  expect(await victim.metric('confmesh_root_expires_seconds')).toBeLessThan(0)
  const { files } = await victim.client.snapshot('pay/prod')
  expect(files.has('app.yaml')).toBe(true)
  peer.control('root', fleet.rotate(renew(fleet.root, Date.UTC(2100, 0, 1))))
  await victim.runs(second)
})

test.each(['before', 'after'] as const)(
  'releases of a removed publisher that come %s the root: none is ordered any more, what runs stays, the new epoch wins',
  async (when) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    const [peer, late] = [await joined(fleet, victim), await aHostile(fleet)]
    const [first, second] = [fleet.release({ counter: 1 }), fleet.release({ counter: 2 })]
    peer.announce(first)
    await victim.runs(first)
    if (when === 'before') {
      peer.announce(second)
      await victim.runs(second)
    }
    const ran = when === 'before' ? second : first
    peer.control('root', fleet.rotate(removePublisher(fleet.root, PUBLISHER)))
    await victim.rootVersion(2)
    await late.join(victim.address)
    late.announceBare(second)
    const third = fleet.release({ counter: 3, header: { root: 1 } })
    peer.announce(third)
    await victim.refusedAtLeast('ORDER_STALE_EPOCH')
    const stays = await victim.client.channel('pay/prod')
    expect([stays.active?.release, stays.state]).toEqual([ran.id, 'stale'])
    const heir = generatePrivateKey('ed25519').key
    const spec = {
      name: 'heir' as Name,
      keys: [heir.public],
      threshold: 1,
      patterns: [parsePattern('pay/**')],
    }
    peer.control('root', fleet.rotate(addPublisher(fleet.root, spec, { replace: false })))
    await victim.rootVersion(3)
    const next = fleet.release({ counter: 1, keys: [heir], header: { publisher: 'heir' as Name } })
    peer.announce(next)
    await victim.runs(next)
  },
)
