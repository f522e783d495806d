/** Rows 21, 22 and 24: history again, counters that run ahead. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../src/cli/generate-key.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { changePublisherKeys } from '../../src/trust/edit.ts'
import { PUBLISHER } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

test('old releases come again by gossip and by hand: the newest stays', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const history = [1, 2, 3].map((counter) => fleet.release({ counter }))
  for (const release of history) {
    await victim.submit(release)
    await victim.runs(release)
  }
  const [one, two, three] = history as [never, never, (typeof history)[number]]
  peer.announceBare(two)
  peer.announceBare(one)
  await victim.refusedAtLeast('ORDER_STALE', 2)
  await expect(victim.submit(two)).rejects.toMatchObject({ code: 'ORDER_STALE' })
  expect(await victim.active()).toBe(three.id)
})

test('a stolen threshold runs the counter to its end; a root with other keys ends that, with counter 1', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const stolen = fleet.release({ counter: 2 ** 53 - 1 })
  peer.announce(stolen)
  await victim.runs(stolen)
  const fresh = [1, 2].map(() => generatePrivateKey('ed25519').key)
  const next = changePublisherKeys(fleet.root, PUBLISHER, {
    add: fresh.map((key) => key.public),
    remove: fleet.publisherKeys.map(({ id }) => id),
  })
  await peer.ask('publish', { type: 'root', root: encodeEnvelope(fleet.signedRoot(next)) })
  await victim.rootVersion(2)
  fleet.root = next
  const recovered = fleet.release({ counter: 1, keys: fresh })
  await victim.submit(recovered)
  await victim.runs(recovered)
  // what the thief has left counts for nothing
  peer.announce(stolen)
  await expect(victim.submit(stolen)).rejects.toMatchObject({ code: 'ORDER_STALE_EPOCH' })
  expect(await victim.active()).toBe(recovered.id)
})

test('a clock in which another publisher is ahead is no clock', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const clock = new Map([
    [PUBLISHER, 1],
    ['other' as typeof PUBLISHER, 2 ** 53 - 1],
  ])
  const ahead = fleet.release({ header: { clock } })
  const peer = await joined(fleet, victim)
  peer.announce(ahead)
  const answer = await peer.ask('publish', { type: 'submit', envelope: ahead.bytes })
  expect(answer).toMatchObject({ type: 'refused', code: 'CODEC_MALFORMED' })
  await victim.refusedAtLeast('CODEC_MALFORMED', 2)
  expect(await victim.active()).toBeUndefined()
})
