/** Rows 3 to 5: one key that counts twice, hundreds of signatures, signatures for somebody else's channel. */
import { createPublicKey, ECDH } from 'node:crypto'
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../src/cli/generate-key.ts'
import { sha256 } from '../../src/codec/digest.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import type { Signature } from '../../src/model/envelope.ts'
import type { Channel, KeyId } from '../../src/model/ids.ts'
import { renew } from '../../src/trust/edit.ts'
import { junk } from './kit/bombs.ts'
import { type AttackedFleet, PUBLISHER } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()
const strange = (): Signature => ({ keyId: sha256(junk(8)) as string as KeyId, sig: junk(64) })

/** A release whose envelope bears whatever signatures `choose` makes of its own. */
function signedBy(fleet: AttackedFleet, choose: (own: readonly Signature[]) => readonly Signature[]) {
  const release = fleet.release()
  const { envelope } = release
  return { ...release, bytes: encodeEnvelope({ ...envelope, signatures: choose(envelope.signatures) }) }
}

test('one signature where two must sign counts once, however often and under whatever key id it stands', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const thief = await joined(fleet, victim)
  const [, other] = fleet.publisherKeys.map(({ id }) => id) as [KeyId, KeyId]
  const ways: readonly ((one: Signature) => Signature)[] = [
    (one) => one,
    ({ sig }) => ({ keyId: other, sig }),
    ({ sig }) => ({ keyId: strange().keyId, sig }),
  ]
  for (const way of ways) {
    const stolen = signedBy(fleet, ([one]) => [one as Signature, way(one as Signature)])
    thief.announce(stolen)
    await expect(victim.submit(stolen)).rejects.toMatchObject({ code: 'TRUST_UNAUTHORISED' })
  }
  await victim.refusedAtLeast('TRUST_UNAUTHORISED', 2 * ways.length)
  expect(await victim.active()).toBeUndefined()
})

test('a root that makes one key count twice is no root, whoever signs it', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const next = renew(fleet.root, fleet.root.expires + 86_400_000)
  const { key } = generatePrivateKey('p256')
  const spki = Buffer.from(key.public.spki)
  const point = ECDH.convertKey(spki.subarray(26), 'prime256v1', undefined, undefined, 'compressed') as Buffer
  const compressed = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
    point,
  ])
  expect(createPublicKey({ key: compressed, format: 'der', type: 'spki' }).asymmetricKeyType).toBe('ec')
  const twice = fleet.alteredRoot(next, ({ publishers }) => {
    const [one] = publishers[PUBLISHER]?.keys ?? []
    publishers[PUBLISHER]?.keys.splice(0, 3, one as string, one as string)
  })
  const inTwoForms = fleet.alteredRoot(next, ({ keys, publishers }) => {
    for (const form of [spki, compressed]) {
      const id = sha256(form)
      keys[id] = { type: 'p256', spki: form.toString('base64') }
      publishers[PUBLISHER]?.keys.push(id)
    }
    publishers[PUBLISHER]?.keys.sort()
  })
  for (const root of [twice, inTwoForms]) {
    peer.control('root', root)
    await peer.ask('publish', { type: 'root', root })
  }
  await victim.refusedAtLeast('TRUST_ROOT_INVALID', 4)
  expect((await victim.client.status()).root.version).toBe(1)
  // nothing else is wrong with it
  peer.control(
    'root',
    fleet.alteredRoot(next, () => {}),
  )
  await victim.rootVersion(2)
})

test('hundreds of signatures are refused uncounted; fourteen strange ones before the right two change nothing', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const stuffed = signedBy(fleet, (own) => [...Array.from({ length: 150 }, strange), ...own])
  peer.gossip('releases', encodeReleaseGossip({ envelope: stuffed.bytes, attached: [] }))
  await victim.refusedAtLeast('LIMIT_SIGNATURES')
  expect(await peer.ask('publish', { type: 'submit', envelope: stuffed.bytes })).toMatchObject({
    type: 'refused',
    code: 'LIMIT_SIGNATURES',
  })
  expect(await victim.active()).toBeUndefined()
  const full = signedBy(fleet, (own) => [...Array.from({ length: 14 }, strange), ...own])
  peer.announce(full)
  await victim.runs(full)
})

test('a pattern ends where its segments end: nobody publishes beside, above or below it', async () => {
  const fleet = aFleet({ patterns: ['pay/*'] })
  const victim = await aVictim(fleet, { seed: true, config: { channels: ['**'] } })
  const peer = await joined(fleet, victim)
  const foreign = ['payments/x', 'pay/a/b', 'pay', 'x/pay/a', 'pay.x/a'] as Channel[]
  for (const channel of foreign) {
    const release = fleet.release({ header: { channel } })
    peer.announce(release)
    await expect(victim.submit(release)).rejects.toMatchObject({ code: 'TRUST_UNAUTHORISED' })
  }
  await victim.refusedAtLeast('TRUST_UNAUTHORISED', 2 * foreign.length)
  expect((await victim.client.status()).channels).toEqual([])
  const own = fleet.release({ header: { channel: 'pay/a' as Channel } })
  await victim.submit(own)
  await victim.runs(own)
})
