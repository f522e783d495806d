import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { MeshError } from '../errors.ts'
import type { KeyId } from '../model/ids.ts'
import type { PublicKey } from '../model/root.ts'
import { isStrongEd25519Point } from './ed25519-point.ts'

/** DER of SubjectPublicKeyInfo up to the key itself: RFC 8410 §4 and RFC 5480 §2 (uncompressed point, 0x04). */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const P256_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const ED25519_BYTES = 32
const P256_BYTES = 64

/** Node's own form of the keys in use: making one costs a third of a verification, and takes 1.7 KiB outside the heap. */
const keyObjects = new Map<PublicKey, KeyObject>()
/** The neighbours of a seed. */
export const MAX_KEY_OBJECTS = 512

/** A key's identity: SHA-256 of its canonical SPKI, so that one key has one id in whatever form it came. */
export const keyIdOf = (spki: Uint8Array): KeyId => hash('sha256', spki, 'hex') as KeyId

/**
 * A public key out of its SPKI (DER), in the one canonical encoding of the two types we know.
 * @throws MeshError TRUST_ROOT_INVALID for any other type or encoding (RSA, a compressed point), a point that is
 *   not on the curve, a small-order point
 */
export function importPublicKey(spki: Uint8Array): PublicKey {
  const bytes = Buffer.from(spki)
  const text = bytes.toString('latin1')
  const known = imported.get(text)
  if (known !== undefined) return known
  const key = strictKey(bytes)
  if (imported.size >= MAX_IMPORTED) imported.clear()
  imported.set(text, key)
  return key
}

/**
 * Keys that passed, by their exact bytes: the check of a point takes milliseconds and a fleet's keys come again with
 * every peer record. What failed is not remembered.
 */
const imported = new Map<string, PublicKey>()
/** A thousand known peers and the keys of a root fit several times. */
export const MAX_IMPORTED = 4_096

function strictKey(bytes: Buffer): PublicKey {
  if (isForm(bytes, ED25519_PREFIX, ED25519_BYTES)) {
    if (!isStrongEd25519Point(bytes.subarray(ED25519_PREFIX.length))) {
      throw invalidKey('is an Ed25519 point that is weak or not on the curve')
    }
    return { id: keyIdOf(bytes), type: 'ed25519', spki: new Uint8Array(bytes) }
  }
  if (isForm(bytes, P256_PREFIX, P256_BYTES)) {
    const key: PublicKey = { id: keyIdOf(bytes), type: 'p256', spki: new Uint8Array(bytes) }
    keyObjectOf(key)
    return key
  }
  throw invalidKey('is neither Ed25519 nor P-256 (uncompressed) in its canonical SPKI form')
}

/**
 * Signatures that were found valid, by a digest over key, signature and data: the same release, root or record comes
 * from several peers, and a look-up is a hundred times cheaper than a verification. What failed is not remembered.
 */
const verified = new Set<string>()
/** A digest of 64 digits each: less than 1 MB. */
export const MAX_VERIFIED = 8_192

/**
 * @param sig Ed25519: 64 bytes (RFC 8032); P-256: ECDSA with SHA-256, DER (what OpenSSL and key services give)
 * @returns false for whatever is no valid signature, malformed ones included
 */
export function verifySignature(key: PublicKey, data: Uint8Array, sig: Uint8Array): boolean {
  const what = hash('sha256', Buffer.concat([Buffer.from(`${key.id} ${sig.length} `), sig, data]), 'hex')
  if (verified.has(what)) return true
  try {
    if (!verify(key.type === 'ed25519' ? null : 'sha256', data, keyObjectOf(key), sig)) return false
  } catch {
    return false // OpenSSL could not even read it: as invalid as any other wrong signature
  }
  if (verified.size >= MAX_VERIFIED) verified.clear()
  verified.add(what)
  return true
}

/** Canonical SPKI of a key that Node could read, compressed points included. @throws MeshError CONFIG_KEY */
export function canonicalSpki(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType === 'ed25519') return new Uint8Array(key.export({ type: 'spki', format: 'der' }))
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') {
    const { x, y } = key.export({ format: 'jwk' })
    const point = [Buffer.from(x ?? '', 'base64url'), Buffer.from(y ?? '', 'base64url')]
    return new Uint8Array(Buffer.concat([P256_PREFIX, ...point]))
  }
  const type = key.asymmetricKeyType ?? key.type
  throw new MeshError('CONFIG_KEY', `a key of type ${type} cannot be used; make one with confmesh keygen`, {
    type,
  })
}

function isForm(bytes: Buffer, prefix: Buffer, keyBytes: number): boolean {
  return bytes.length === prefix.length + keyBytes && bytes.subarray(0, prefix.length).equals(prefix)
}

function keyObjectOf(key: PublicKey): KeyObject {
  const known = keyObjects.get(key)
  if (known !== undefined) return known
  let made: KeyObject
  try {
    made = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' })
  } catch (error) {
    throw invalidKey('is no point on its curve', { cause: error })
  }
  if (keyObjects.size >= MAX_KEY_OBJECTS) keyObjects.clear()
  keyObjects.set(key, made)
  return made
}

function invalidKey(what: string, options?: ErrorOptions): MeshError {
  return new MeshError(
    'TRUST_ROOT_INVALID',
    `a public key ${what}; use one from confmesh keygen`,
    {},
    options,
  )
}
