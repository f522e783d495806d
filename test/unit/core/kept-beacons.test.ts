/** Beacons that were kept, under the roots that were: what was signed before the freshness keys changed counts no more. */
import { expect, it } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeBeacon, encodeBeaconPage } from '../../../src/codec/beacon.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { createFreshness } from '../../../src/core/freshness.ts'
import type { Beacon } from '../../../src/model/beacon.ts'
import { setFreshness } from '../../../src/trust/edit.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { BenchNode } from './bench-node.ts'
import { coreConfig, ROOT, rootBytes } from './fleet.ts'

const key = generatePrivateKey('ed25519').key
const more = generatePrivateKey('ed25519').key
const named = setFreshness(ROOT, { add: [key.public], remove: [] })
const page = sha256(encodeBeaconPage([]))
const newest = setFreshness(named, { add: [more.public], remove: [] })

it.each([
  ['counts from the root on that named them first', newest.version, [{ key: key.id, at: 1 }]],
  ['of a root before that does not', named.version, []],
])('a beacon that was kept %s', (_what, root, marks) => {
  const beacon: Beacon = { v: 1, critical: [], fleet: ROOT.fleetId, root, key: key.id, at: 1, pages: [page] }
  const envelope = encodeEnvelope(signEnvelope('beacon', encodeBeacon(beacon), [key]))
  const freshness = createFreshness(coreConfig())
  const kept = [ROOT, named, newest].map((each) => ({ version: each.version, envelope: rootBytes(each) }))
  new BenchNode({}, { freshness }).start({ roots: kept, beacons: [{ key: key.id, at: 1, envelope }] })
  expect(freshness.marks()).toEqual(marks)
})
