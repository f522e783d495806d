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

/**
 * What we use of a secured connection beyond its exported type (`EncryptedMessageStream` of noise 17.0.3). No contract
 * of theirs, hence the exact version.
 */
interface Decoding {
  readonly decoder: { lengthDecoder: (data: Bytes) => number }
}
/** What has come so far, in parts. */
interface Bytes {
  readonly byteLength: number
  get(at: number): number
}

const NOT_YET = new RangeError('the length of the next frame is not there yet')

/** Of two bytes, big endian. @throws RangeError where there are fewer: the decoder waits for more */
function lengthOf(data: Bytes): number {
  if (data.byteLength < 2) throw NOT_YET
  return (data.get(0) << 8) | data.get(1)
}

/**
 * The decoder asks for one length more than there are frames, each time something comes. Theirs makes a new error then,
 * with the stack it was thrown on, which costs as much as decrypting a small message.
 */
function readLengthsQuickly<T extends { readonly connection: unknown }>(secured: T): T {
  ;(secured.connection as Decoding).decoder.lengthDecoder = lengthOf
  return secured
}

export function nativeNoise(): ReturnType<typeof noise> {
  const factory = noise({ crypto: nativeCrypto })
  return (components) => {
    const encrypter = factory(components)
    const inbound = encrypter.secureInbound.bind(encrypter)
    const outbound = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureInbound = async (...args) => readLengthsQuickly(await inbound(...args))
    encrypter.secureOutbound = async (...args) => readLengthsQuickly(await outbound(...args))
    return encrypter
  }
}
