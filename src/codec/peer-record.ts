/** Exact bytes of a peer record: the payload that the peer's identity key signs. */
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Address } from '../model/ids.ts'
import { parseAddress, parseName, parsePattern, parsePeerId, peerOf } from '../model/names.ts'
import type { PeerRecord } from '../model/peer-record.ts'
import { decodeStrict, encode } from './cbor.ts'
import * as form from './fields.ts'
import { timeMs } from './ids.ts'

export const MAX_ADDRESSES = 16
export const MAX_CHAIN = 2
/** A region or zone is a name, or empty where the node says none. */
const label: form.Form<string> = form.parsed((text) => (text === '' ? '' : parseName(text)))

const shape = form.open({
  v: form.version,
  critical: form.critical,
  peer: form.parsed(parsePeerId),
  at: timeMs,
  addresses: form.list(form.parsed(parseAddress), MAX_ADDRESSES),
  patterns: form.list(form.parsed(parsePattern), (limits) => limits.maxPatterns),
  region: label,
  zone: label,
  submit: form.bool,
  chain: form.list(
    form.bytes((limits) => limits.maxCertificateBytes),
    MAX_CHAIN,
  ),
})

/** @throws MeshError LIMIT_BYTES, CODEC_MALFORMED (also: an address of somebody else), CODEC_UNSUPPORTED */
export function decodePeerRecord(payload: Uint8Array, limits: Limits): PeerRecord {
  const what = 'peer record'
  const value = decodeStrict(payload, { maxBytes: limits.maxPeerRecordBytes, limits, what })
  const record = shape.read(value, what, limits)
  const foreign = record.addresses.find((address: Address) => peerOf(address) !== record.peer)
  if (foreign !== undefined)
    throw new MeshError('CODEC_MALFORMED', `${what}: an address names another peer than the record`)
  return record
}

export const encodePeerRecord = (record: PeerRecord): Uint8Array => encode(shape.write(record))
