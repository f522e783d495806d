/**
 * DSSE envelopes (https://github.com/secure-systems-lab/dsse) as dag-cbor: `{payload, payloadType, signatures:
 * [{keyid, sig}]}`. The envelope is no document: it keeps these names and this form in every version.
 */
import type { Limits } from '../limits.ts'
import type { Envelope, Signature } from '../model/envelope.ts'
import { decodeStrict, encode } from './cbor.ts'
import { bytes, closed, convert, type Form, list, text } from './fields.ts'
import { keyId } from './ids.ts'

export const MAX_PAYLOAD_TYPE_BYTES = 128
/** P-256 in DER needs 72 bytes, Ed25519 64. */
export const MAX_SIGNATURE_BYTES = 128

const signature: Form<Signature> = convert(
  closed({ keyid: keyId, sig: bytes(MAX_SIGNATURE_BYTES, 1) }),
  ({ keyid, sig }) => ({ keyId: keyid, sig }),
  ({ keyId, sig }) => ({ keyid: keyId, sig }),
)

const envelope: Form<Envelope> = closed({
  payload: bytes(Number.MAX_SAFE_INTEGER),
  payloadType: text(MAX_PAYLOAD_TYPE_BYTES),
  signatures: list(signature, (limits) => limits.maxSignatures, 0, 'LIMIT_SIGNATURES'),
})

/**
 * @param maxBytes of the whole envelope: it differs by kind of document.
 * @throws MeshError LIMIT_BYTES, LIMIT_SIGNATURES, CODEC_MALFORMED
 */
export const decodeEnvelope = (encoded: Uint8Array, maxBytes: number, limits: Limits): Envelope =>
  envelope.read(decodeStrict(encoded, { maxBytes, limits, what: 'envelope' }), 'envelope', limits)

export const encodeEnvelope = (value: Envelope): Uint8Array => encode(envelope.write(value))

const ASCII = new TextEncoder()

/**
 * DSSE's pre-authentication encoding, which is what gets signed:
 * `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`, lengths in decimal bytes.
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = ASCII.encode(payloadType)
  return new Uint8Array(
    Buffer.concat([
      ASCII.encode(`DSSEv1 ${type.length} `),
      type,
      ASCII.encode(` ${payload.length} `),
      payload,
    ]),
  )
}
