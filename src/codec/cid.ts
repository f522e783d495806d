/** CIDs, for CAR files alone: on our own protocols a digest is 32 bytes without any choice of hash. */
import { CID } from 'multiformats/cid'
import * as Multihash from 'multiformats/hashes/digest'
import { MeshError } from '../errors.ts'
import type { Digest } from '../model/ids.ts'
import { bytesToHex, hexToBytes } from './digest.ts'

/** https://github.com/multiformats/multicodec: raw, sha2-256. */
const RAW = 0x55
const SHA2_256 = 0x12

export const toCid = (digest: Digest): CID =>
  CID.createV1(RAW, Multihash.create(SHA2_256, hexToBytes(digest)))

/**
 * Only CIDv1, raw, SHA-256 with all 32 bytes: an identity hash proves nothing, a truncated one too little.
 * @throws MeshError CODEC_MALFORMED
 */
export function fromCid(cid: CID): Digest {
  const { version, code, multihash } = cid
  if (version !== 1 || code !== RAW || multihash.code !== SHA2_256 || multihash.digest.length !== 32)
    throw new MeshError('CODEC_MALFORMED', 'cid: expected CIDv1, raw, SHA-256 with 32 bytes')
  return bytesToHex(multihash.digest) as Digest
}
