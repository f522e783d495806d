import type { KeyId } from './ids.ts'

/** DSSE payload types: a signature of one kind of document can never be used for another. */
export const PAYLOAD_TYPES = {
  root: 'application/vnd.confmesh.root+json',
  release: 'application/vnd.confmesh.release+cbor',
  certificate: 'application/vnd.confmesh.certificate+json',
  beacon: 'application/vnd.confmesh.beacon+cbor',
  heartbeat: 'application/vnd.confmesh.heartbeat+cbor',
  peer: 'application/vnd.confmesh.peer+cbor',
} as const

export type DocumentKind = keyof typeof PAYLOAD_TYPES

export interface Signature {
  /** A hint which key signed; never trusted, a key's identity is its own digest. */
  readonly keyId: KeyId
  readonly sig: Uint8Array
}

/** A DSSE envelope: the exact signed bytes with their signatures. */
export interface Envelope {
  readonly payloadType: string
  readonly payload: Uint8Array
  readonly signatures: readonly Signature[]
}
