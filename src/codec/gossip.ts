/** What travels on the two topics. */
import type { Limits } from '../limits.ts'
import { decodeStrict, encode } from './cbor.ts'
import { bytes, type Form, type FormOf, knownWord, list, record, version } from './fields.ts'

/** A release's envelope and, while the whole stays small, all its pages, then all its blocks, each once. */
export interface ReleaseGossip {
  readonly envelope: Uint8Array
  readonly attached: readonly Uint8Array[]
  /** More was attached than is taken here, which is left out: a neighbour may take more. */
  readonly isCut?: true
}

export interface ControlGossip {
  readonly kind: 'root' | 'beacon' | 'heartbeat'
  readonly envelope: Uint8Array
}

const release = record({
  v: version,
  // Both bounded by the message alone: more than this node takes is not malformed, a neighbour may take more.
  envelope: bytes((limits) => limits.maxReleasesGossipBytes, 1),
  attached: list(
    bytes((limits) => limits.maxReleasesGossipBytes, 1),
    (limits) => limits.maxReleasesGossipBytes,
  ),
})

const control: Form<{
  readonly v: 1
  readonly type: ControlGossip['kind']
  readonly envelope: Uint8Array
}> = record({
  v: version,
  type: knownWord('root', 'beacon', 'heartbeat'),
  envelope: bytes((limits) => limits.maxRootBytes, 1),
})

/** An envelope is one byte string; what else there may be is a newer build's. */
export const MAX_CONTROL_TEXT_BYTES = 4 * 1024
/** Beside it every other byte of what is attached may be the head of a byte string. */
export const MAX_RELEASE_TEXT_BYTES = 16 * 1024

export const encodeReleaseGossip = ({ envelope, attached }: ReleaseGossip): Uint8Array =>
  encode(release.write({ v: 1, envelope, attached } satisfies FormOf<typeof release>))

/**
 * Without what is attached where the whole is longer than that may be here.
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED
 */
export function decodeReleaseGossip(encoded: Uint8Array, limits: Limits): ReleaseGossip {
  const maxTextBytes = Math.max(MAX_RELEASE_TEXT_BYTES, limits.maxInlineBytes)
  const bounds = { maxBytes: limits.maxReleasesGossipBytes, maxTextBytes, limits, what: 'release gossip' }
  const { envelope, attached } = release.read(decodeStrict(encoded, bounds), 'release gossip', limits)
  if (attached.length > 0 && encoded.length > limits.maxInlineBytes)
    return { envelope, attached: [], isCut: true }
  return { envelope, attached }
}

export const encodeControlGossip = ({ kind, envelope }: ControlGossip): Uint8Array =>
  encode(control.write({ v: 1, type: kind, envelope }))

/** @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED */
export function decodeControlGossip(encoded: Uint8Array, limits: Limits): ControlGossip {
  const maxTextBytes = MAX_CONTROL_TEXT_BYTES
  const bounds = { maxBytes: limits.maxControlGossipBytes, maxTextBytes, limits, what: 'control gossip' }
  const { type, envelope } = control.read(decodeStrict(encoded, bounds), 'control gossip', limits)
  return { kind: type, envelope }
}
