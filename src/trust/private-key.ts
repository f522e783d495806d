import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { MeshError } from '../errors.ts'
import type { KeyId } from '../model/ids.ts'
import type { PublicKey } from '../model/root.ts'
import { canonicalSpki, importPublicKey } from './public-key.ts'

/**
 * A key that signs. Opaque on purpose: the secret is held where nothing prints, spreads or serialises it, so it can
 * reach no log, error or answer.
 */
export class PrivateKey {
  readonly #secret: KeyObject
  readonly public: PublicKey

  constructor(secret: KeyObject) {
    this.#secret = secret
    this.public = importPublicKey(canonicalSpki(createPublicKey(secret)))
  }

  get id(): KeyId {
    return this.public.id
  }

  get type(): PublicKey['type'] {
    return this.public.type
  }

  /** Ed25519: 64 bytes; P-256: ECDSA with SHA-256 in DER. */
  sign(data: Uint8Array): Uint8Array {
    return new Uint8Array(sign(this.type === 'ed25519' ? null : 'sha256', data, this.#secret))
  }
}

/** @param pem PKCS#8 PEM. @throws MeshError CONFIG_KEY */
export function privateKeyFromPem(pem: string): PrivateKey {
  let secret: KeyObject
  try {
    secret = createPrivateKey(pem)
  } catch (error) {
    throw new MeshError(
      'CONFIG_KEY',
      'no private key in PKCS#8 PEM without a passphrase',
      {},
      { cause: error },
    )
  }
  return asConfigKey(() => new PrivateKey(secret))
}

/** @param pem SPKI PEM, such as FILE.pub. @throws MeshError CONFIG_KEY, for a private key as well */
export function publicKeyFromPem(pem: string): PublicKey {
  if (pem.includes('PRIVATE KEY')) {
    throw new MeshError(
      'CONFIG_KEY',
      'this is a private key; name its public half, the file that ends in .pub',
    )
  }
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (error) {
    throw new MeshError('CONFIG_KEY', 'no public key in SPKI PEM', {}, { cause: error })
  }
  return asConfigKey(() => importPublicKey(canonicalSpki(key)))
}

/** SPKI PEM of a key. */
export function publicPem(key: PublicKey): string {
  const base64 = Buffer.from(key.spki).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`
}

/** A weak key in somebody's file is a wrong key file, not yet an invalid root. */
function asConfigKey<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof MeshError && error.code === 'CONFIG_KEY') throw error
    const reason = error instanceof MeshError ? error.message : 'the key cannot be used'
    throw new MeshError('CONFIG_KEY', reason, {}, { cause: error })
  }
}
