/** What a seed says of what is newest, signed with its own freshness key. */
import { encodeBeacon } from '../../codec/beacon.ts'
import { encodeEnvelope, preAuthEncoding } from '../../codec/envelope.ts'
import type { Beacon } from '../../model/beacon.ts'
import { PAYLOAD_TYPES } from '../../model/envelope.ts'
import type { Digest } from '../../model/ids.ts'
import type { TrustRoot } from '../../model/root.ts'
import type { CoreConfig } from '../config.ts'

export function ownBeacon(
  { key, sign }: NonNullable<CoreConfig['signBeacon']>,
  root: TrustRoot,
  at: number,
  pages: readonly Digest[],
): { readonly beacon: Beacon; readonly envelope: Uint8Array } {
  const beacon: Beacon = { v: 1, critical: [], fleet: root.fleetId, root: root.version, key, at, pages }
  const payload = encodeBeacon(beacon)
  const payloadType = PAYLOAD_TYPES.beacon
  const sig = sign(preAuthEncoding(payloadType, payload))
  return { beacon, envelope: encodeEnvelope({ payloadType, payload, signatures: [{ keyId: key, sig }] }) }
}
