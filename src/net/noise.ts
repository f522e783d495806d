/** noise with the cipher of Node itself: a session's keys are made ready once, not for each message. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { type ICryptoInterface, noise } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'

const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
const TAG = { authTagLength: TAG_BYTES } as const

/** By the very array that noise keeps for as long as the session lasts. */
const keys = new WeakMap<Uint8Array, KeyObject>()

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes)
  if (known !== undefined) return known
  const key = createSecretKey(bytes)
  keys.set(bytes, key)
  return key
}

/**
 * The default takes in the key anew for each message, which costs more than encrypting a small one, and leaves what
 * it makes in parts, which costs more than to join them: all that carries bytes further looks at each part.
 */
const nativeCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt(plaintext, nonce, ad, k) {
    const cipher = createCipheriv(CIPHER, keyOf(k), nonce, TAG)
    cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
    const text = cipher.update(plaintext.subarray())
    cipher.final()
    return Buffer.concat([text, cipher.getAuthTag()])
  },
  /** @throws Error where the tag does not fit: noise ends the connection */
  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k) {
    const bytes = ciphertext.subarray()
    const end = bytes.byteLength - TAG_BYTES
    const decipher = createDecipheriv(CIPHER, keyOf(k), nonce, TAG)
    decipher.setAAD(ad, { plaintextLength: end })
    decipher.setAuthTag(bytes.subarray(end))
    const text = decipher.update(bytes.subarray(0, end))
    decipher.final()
    return text
  },
}

export const nativeNoise = (): ReturnType<typeof noise> => noise({ crypto: nativeCrypto })
