/**
 * Signed peer records. A peer id *is* its Ed25519 key (libp2p's peer id specification: an identity multihash of the
 * protobuf-encoded public key in base58btc), so that whoever passes a record on cannot change it.
 */
import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts'
import { rawKeyOfPeer } from '../codec/peer-id.ts'
import { decodePeerRecord, encodePeerRecord } from '../codec/peer-record.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import type { PeerRecord } from '../model/peer-record.ts'
import type { PublicKey } from '../model/root.ts'
import type { PrivateKey } from './private-key.ts'
import { importPublicKey } from './public-key.ts'
import { signEnvelope } from './signing.ts'
import { checkType, signers } from './threshold.ts'

/** SPKI of an Ed25519 key up to the key itself: RFC 8410 §4. */
const SPKI_PREFIX = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]

/** The key a peer id stands for. @throws MeshError NET_PEER_ID where it is no Ed25519 peer id */
export function keyOfPeer(peer: PeerId): PublicKey {
  const raw = rawKeyOfPeer(peer)
  try {
    return importPublicKey(Uint8Array.from([...SPKI_PREFIX, ...raw]))
  } catch (cause) {
    throw new MeshError('NET_PEER_ID', `peer id ${peer} holds a weak key`, {}, { cause })
  }
}

/** @param key the node's identity key. @returns the envelope, as it travels and is remembered */
export const signPeerRecord = (record: PeerRecord, key: PrivateKey): Uint8Array =>
  encodeEnvelope(signEnvelope('peer', encodePeerRecord(record), [key]))

/**
 * @returns the record, if the very peer it speaks of signed it
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED, NET_PEER_ID, TRUST_TYPE, TRUST_UNAUTHORISED
 */
export function openPeerRecord(bytes: Uint8Array, limits: Limits): PeerRecord {
  const envelope = decodeEnvelope(bytes, limits.maxPeerRecordBytes, limits)
  checkType(envelope, 'peer')
  const record = decodePeerRecord(envelope.payload, limits)
  const key = keyOfPeer(record.peer)
  if (signers(envelope, 'peer', new Map([[key.id, key]]), limits).length === 0)
    throw new MeshError('TRUST_UNAUTHORISED', `peer record of ${record.peer} is not signed by that peer`)
  if (record.critical.length > 0) {
    const names = record.critical.join(', ')
    throw new MeshError('CODEC_UNSUPPORTED', `peer record of ${record.peer} needs ${names}`)
  }
  return record
}
