import { preAuthEncoding } from '../codec/envelope.ts'
import { type DocumentKind, type Envelope, PAYLOAD_TYPES } from '../model/envelope.ts'
import type { PrivateKey } from './private-key.ts'

/** A document of this kind, signed by these keys; the payload is kept byte for byte. */
export function signEnvelope(kind: DocumentKind, payload: Uint8Array, keys: readonly PrivateKey[]): Envelope {
  const unsigned: Envelope = { payloadType: PAYLOAD_TYPES[kind], payload, signatures: [] }
  return keys.reduce(addSignature, unsigned)
}

/** One more signature over the same bytes; a key that has signed already replaces its own. */
export function addSignature(envelope: Envelope, key: PrivateKey): Envelope {
  const sig = key.sign(preAuthEncoding(envelope.payloadType, envelope.payload))
  const others = envelope.signatures.filter(({ keyId }) => keyId !== key.id)
  const signatures = [...others, { keyId: key.id, sig }].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
  return { ...envelope, signatures }
}
