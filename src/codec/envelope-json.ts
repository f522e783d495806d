/** Envelopes for people: DSSE JSON in files (`root.json`, certificates, drafts that several people sign). */

import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Envelope, Signature } from '../model/envelope.ts'
import type { KeyId } from '../model/ids.ts'
import { checkBytes } from './cbor.ts'
import { MAX_SIGNATURE_BYTES } from './envelope.ts'
import { closed, convert, type Form, list, text } from './fields.ts'
import { parseJson } from './json.ts'
import { base64, hex } from './json-fields.ts'

const signature: Form<Signature> = convert(
  closed({ keyid: hex<KeyId>(), sig: base64(MAX_SIGNATURE_BYTES, 1) }),
  ({ keyid, sig }) => ({ keyId: keyid, sig }),
  ({ keyId, sig }) => ({ keyid: keyId, sig }),
)

const envelope: Form<Envelope> = closed({
  payload: base64((limits) => limits.maxRootBytes),
  payloadType: text(128),
  signatures: list(signature, (limits) => limits.maxSignatures, 0, 'LIMIT_SIGNATURES'),
})

/** Base64 and white space at most double an envelope. */
const maxText = (limits: Limits): number => 2 * limits.maxRootBytes

/** @throws MeshError LIMIT_BYTES, LIMIT_SIGNATURES, CODEC_MALFORMED */
export function decodeEnvelopeJson(json: string, limits: Limits): Envelope {
  checkBytes(json, maxText(limits), 'envelope')
  const value = parseJson(json, limits, 'envelope')
  if (typeof value === 'object' && value !== null && !('payload' in value))
    throw new MeshError(
      'CODEC_MALFORMED',
      'envelope: no "payload"; expected a file made by confmesh (DSSE JSON)',
    )
  return envelope.read(value, 'envelope', limits)
}

/** Indented, with a line end: it lies in files that people look at and diff. */
export const encodeEnvelopeJson = (value: Envelope): string =>
  `${JSON.stringify(envelope.write(value), null, 2)}\n`
