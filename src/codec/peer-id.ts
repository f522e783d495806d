/** Peer ids of libp2p, as far as we need them: the Ed25519 key inside. */
import { base58btc } from 'multiformats/bases/base58'
import { MeshError } from '../errors.ts'
import type { PeerId } from '../model/ids.ts'

/**
 * Identity multihash (0x00) of 36 bytes: protobuf field 1 = key type 1 (Ed25519), field 2 = 32 bytes. Source: libp2p
 * specification "Peer Ids and Keys".
 */
const PREFIX = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20]
const KEY_BYTES = 32

/** @returns the 32 bytes of the peer's public key. @throws MeshError NET_PEER_ID */
export function rawKeyOfPeer(peer: PeerId): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = base58btc.decode(`z${peer}`)
  } catch (cause) {
    throw new MeshError('NET_PEER_ID', `${peer.slice(0, 64)} is no peer id`, {}, { cause })
  }
  const fits = bytes.length === PREFIX.length + KEY_BYTES && PREFIX.every((byte, at) => bytes[at] === byte)
  if (!fits) throw new MeshError('NET_PEER_ID', `${peer.slice(0, 64)} is no Ed25519 peer id`)
  return bytes.subarray(PREFIX.length)
}

/** @param raw the 32 bytes of an Ed25519 public key */
export const peerOfRawKey = (raw: Uint8Array): PeerId =>
  base58btc.encode(Uint8Array.from([...PREFIX, ...raw])).slice(1) as PeerId
