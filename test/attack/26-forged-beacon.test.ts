/** Row 26: beacons by nobody, and by the stolen key itself, far ahead. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../src/cli/generate-key.ts'
import { encodeBeacon } from '../../src/codec/beacon.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import type { Digest } from '../../src/model/ids.ts'
import type { PrivateKey } from '../../src/trust/private-key.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()
const YEAR_9999 = Date.UTC(9999, 0, 1)

test('neither order nor what is active moves, and releases go on', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const first = fleet.release({ counter: 1 })
  peer.announce(first)
  await victim.runs(first)
  const unknown = generatePrivateKey('ed25519').key
  const stolen = fleet.freshness.key
  const forged: readonly (readonly [named: PrivateKey, signer: PrivateKey])[] = [
    [unknown, unknown],
    [stolen, unknown],
    [stolen, stolen],
  ]
  for (const [named, signer] of forged) {
    const beacon = {
      v: 1,
      critical: [],
      fleet: fleet.root.fleetId,
      root: 1,
      key: named.id,
      at: YEAR_9999,
      pages: ['a'.repeat(64) as Digest],
    } as const
    peer.control('beacon', encodeEnvelope(signEnvelope('beacon', encodeBeacon(beacon), [signer])))
  }
  await victim.refusedAtLeast('TRUST_UNAUTHORISED', 2)
  await victim.metricAtLeast('confmesh_gossip_received_total', 3, 'topic="control"')
  expect(await victim.active()).toBe(first.id)
  const second = fleet.release({ counter: 2 })
  peer.announce(second)
  await victim.runs(second)
})
