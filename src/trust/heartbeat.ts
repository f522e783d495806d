/** Signed heartbeats of gateways. Like a peer record, one is signed by the very peer it speaks of. */
import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts'
import { decodeHeartbeat, encodeHeartbeat } from '../codec/heartbeat.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Heartbeat } from '../model/heartbeat.ts'
import type { PublicKey } from '../model/root.ts'
import { keyOfPeer } from './peer-record.ts'
import type { PrivateKey } from './private-key.ts'
import { signEnvelope } from './signing.ts'
import { checkType, signers } from './threshold.ts'

/** @param key the node's identity key. @returns the envelope, as it travels */
export const signHeartbeat = (heartbeat: Heartbeat, key: PrivateKey): Uint8Array =>
  encodeEnvelope(signEnvelope('heartbeat', encodeHeartbeat(heartbeat), [key]))

/** What a heartbeat claims; nothing of it counts before `checkHeartbeat`. */
export interface ReadHeartbeat {
  readonly heartbeat: Heartbeat
  readonly envelope: Envelope
}

/** @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED, TRUST_TYPE */
export function readHeartbeat(bytes: Uint8Array, limits: Limits): ReadHeartbeat {
  const envelope = decodeEnvelope(bytes, limits.maxHeartbeatBytes, limits)
  checkType(envelope, 'heartbeat')
  const heartbeat = decodeHeartbeat(envelope.payload, limits)
  if (heartbeat.critical.length > 0)
    throw new MeshError('CODEC_UNSUPPORTED', `heartbeat: ${heartbeat.critical.join(', ')} is not known here`)
  return { heartbeat, envelope }
}

/**
 * @param known the peer's key from an earlier heartbeat: to import one costs more than the check itself
 * @returns the key that signed
 * @throws MeshError NET_PEER_ID, LIMIT_SIGNATURES, TRUST_UNAUTHORISED
 */
export function checkHeartbeat(
  { heartbeat, envelope }: ReadHeartbeat,
  known: PublicKey | undefined,
  limits: Limits,
): PublicKey {
  const key = known ?? keyOfPeer(heartbeat.peer)
  if (signers(envelope, 'heartbeat', new Map([[key.id, key]]), limits).length === 0)
    throw new MeshError('TRUST_UNAUTHORISED', `heartbeat of ${heartbeat.peer} is not signed by that peer`)
  return key
}
