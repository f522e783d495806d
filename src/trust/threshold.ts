import { preAuthEncoding } from '../codec/envelope.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { type DocumentKind, type Envelope, PAYLOAD_TYPES } from '../model/envelope.ts'
import type { KeyId } from '../model/ids.ts'
import type { PublicKey, Role, TrustRoot } from '../model/root.ts'
import { verifySignature } from './public-key.ts'

type Keys = ReadonlyMap<KeyId, PublicKey>

/** A signature of one kind of document never counts for another. @throws MeshError TRUST_TYPE */
export function checkType(envelope: Envelope, kind: DocumentKind): void {
  if (envelope.payloadType === PAYLOAD_TYPES[kind]) return
  throw new MeshError('TRUST_TYPE', `this document is no ${kind}: its payload type is another`, { kind })
}

/**
 * The distinct keys among `keys` that validly signed exactly the received bytes, ascending. The key id beside a
 * signature is a hint which key to try: an unknown one costs no verification, a repeated one only the first.
 * @throws MeshError TRUST_TYPE, LIMIT_SIGNATURES
 */
export function signers(envelope: Envelope, kind: DocumentKind, keys: Keys, limits: Limits): KeyId[] {
  checkType(envelope, kind)
  const { signatures } = envelope
  if (signatures.length > limits.maxSignatures) {
    throw new MeshError('LIMIT_SIGNATURES', `more than ${limits.maxSignatures} signatures on one document`, {
      signatures: signatures.length,
    })
  }
  const signed = preAuthEncoding(envelope.payloadType, envelope.payload)
  const tried = new Set<KeyId>()
  const valid: KeyId[] = []
  for (const { keyId, sig } of signatures) {
    const key = keys.get(keyId)
    if (key === undefined || tried.has(keyId)) continue
    tried.add(keyId)
    if (verifySignature(key, signed, sig)) valid.push(keyId)
  }
  return valid.sort()
}

/** Enough distinct keys of the role signed. @throws MeshError TRUST_TYPE, LIMIT_SIGNATURES */
export function meets(
  role: Role,
  keys: Keys,
  envelope: Envelope,
  kind: DocumentKind,
  limits: Limits,
): boolean {
  return signers(envelope, kind, keysOf(role.keys, keys), limits).length >= role.threshold
}

/** Those of the document's keys that a role names. */
export function keysOf(ids: readonly KeyId[], keys: Keys): Keys {
  const found = new Map<KeyId, PublicKey>()
  for (const id of ids) {
    const key = keys.get(id)
    if (key !== undefined) found.set(id, key)
  }
  return found
}

/** The root document itself bears its own root role's threshold. */
export const signsItself = (root: TrustRoot, envelope: Envelope, limits: Limits): boolean =>
  meets(root.root, root.keys, envelope, 'root', limits)
