import type { Limits } from '../limits.ts'
import type { Heartbeat } from '../model/heartbeat.ts'
import { decodeStrict, encode } from './cbor.ts'
import { bytes, critical, type Form, knownWord, list, open, optional, version } from './fields.ts'
import { address, name, peerId, timeMs } from './ids.ts'

/** Addresses of one gateway: IPv4 and IPv6, inside and outside, with room. */
export const MAX_ADDRESSES = 8
export const MAX_CHAIN = 2

const heartbeat: Form<Heartbeat> = open({
  v: version,
  critical,
  peer: peerId,
  region: name,
  addresses: list(address, MAX_ADDRESSES, 1),
  chain: optional(
    list(
      bytes((limits) => limits.maxCertificateBytes),
      MAX_CHAIN,
    ),
  ),
  at: timeMs,
  stopgap: optional(knownWord('new', 'seed')),
})

/**
 * @param payload the envelope's signed bytes, as received
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED
 */
export const decodeHeartbeat = (payload: Uint8Array, limits: Limits): Heartbeat =>
  heartbeat.read(
    decodeStrict(payload, { maxBytes: limits.maxHeartbeatBytes, limits, what: 'heartbeat' }),
    'heartbeat',
    limits,
  )

export const encodeHeartbeat = (value: Heartbeat): Uint8Array => encode(heartbeat.write(value))
