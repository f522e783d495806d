/** Rows 6 and 7: signed bytes that belong elsewhere. */
import { expect, test } from 'vitest'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import type { DocumentKind } from '../../src/model/envelope.ts'
import { PAYLOAD_TYPES } from '../../src/model/envelope.ts'
import type { Channel, FleetId } from '../../src/model/ids.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

test('a release of another fleet, and one of a channel outside its publisher, count for nothing here', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true, config: { channels: ['**'] } })
  const peer = await joined(fleet, victim)
  const elsewhere = fleet.release({ header: { fleet: 'f'.repeat(64) as FleetId } })
  peer.announce(elsewhere)
  await victim.refusedAtLeast('ORDER_MISPLACED')
  await expect(victim.submit(elsewhere)).rejects.toMatchObject({ code: 'ORDER_MISPLACED' })
  for (const channel of ['pay', 'payments/x', 'edge/pay'] as Channel[])
    await expect(victim.submit(fleet.release({ header: { channel } }))).rejects.toMatchObject({
      code: 'TRUST_UNAUTHORISED',
    })
  expect((await victim.client.status()).channels).toEqual([])
})

test('signatures of any other kind of document do not make a release', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const { envelope } = fleet.release()
  const kinds = (Object.keys(PAYLOAD_TYPES) as DocumentKind[]).filter((kind) => kind !== 'release')
  for (const kind of kinds) {
    // as it is, and with the type of a release put on it
    const other = signEnvelope(kind, envelope.payload, fleet.publisherKeys)
    for (const each of [other, { ...other, payloadType: PAYLOAD_TYPES.release }])
      peer.gossip('releases', encodeReleaseGossip({ envelope: encodeEnvelope(each), attached: [] }))
  }
  await victim.refusedAtLeast('TRUST_TYPE', kinds.length)
  await victim.refusedAtLeast('TRUST_UNAUTHORISED', kinds.length)
  expect(await victim.active()).toBeUndefined()
})
