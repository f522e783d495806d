/** noise with the cipher of Node itself for all but the shortest messages: a session's keys are made ready once, not for each. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { type ICryptoInterface, noise } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import { Uint8ArrayList } from 'uint8arraylist'
import { MeshError } from '../errors.ts'
import { SHORT_BURST, SHORT_BYTES, SHORT_PER_SECOND } from './muxer-frames.ts'
import { Bucket } from './pace.ts'

const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
const TAG = { authTagLength: TAG_BYTES } as const
/** What is longer is carried on in parts, since copying it costs more than looking at each; what is shorter, joined. */
const LONG_BYTES = 16 * 1024
/**
 * What is shorter, as most messages of an idle mesh are, goes through the cipher in WebAssembly that noise itself takes for it,
 * in a third to half of the time: Node's is set up anew for each.
 */
const TINY_BYTES = 512
/** In one message. */
const MOST_BYTES = 65_535 - TAG_BYTES
/** What came in so many reads, and is no message yet, is joined: over a slow link a message comes in 45. */
const JOINED_AFTER = 64

/** By the very array that noise keeps for as long as the session lasts. */
const keys = new WeakMap<Uint8Array, KeyObject>()

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes)
  if (known !== undefined) return known
  const key = createSecretKey(bytes)
  keys.set(bytes, key)
  return key
}

type Bytes = Uint8Array | Uint8ArrayList

const isLong = ({ byteLength }: Bytes): boolean => byteLength >= LONG_BYTES
const partsOf = (bytes: Bytes): Iterable<Uint8Array> =>
  bytes instanceof Uint8Array ? [bytes] : isLong(bytes) ? bytes : [bytes.subarray()]
const whole = (parts: readonly Uint8Array[]): Bytes =>
  parts.length === 1 && parts[0] !== undefined ? parts[0] : new Uint8ArrayList(...parts)

/**
 * The default takes in the key anew for each message, which costs more than encrypting a small one, and leaves what
 * it makes of a small one in parts, which costs more than to join them: all that carries bytes further looks at each.
 */
const nativeCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt(plaintext, nonce, ad, k) {
    if (plaintext.byteLength < TINY_BYTES)
      return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, k)
    const cipher = createCipheriv(CIPHER, keyOf(k), nonce, TAG)
    cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
    const text = Array.from(partsOf(plaintext), (part) => cipher.update(part))
    cipher.final()
    const parts = [...text, cipher.getAuthTag()]
    return isLong(plaintext) ? whole(parts) : Buffer.concat(parts)
  },
  /** @throws Error where the tag does not fit, or is not there: noise ends the connection */
  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k) {
    const end = ciphertext.byteLength - TAG_BYTES
    if (end < 0) throw new Error('a message without its tag')
    if (end < TINY_BYTES) return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k)
    const decipher = createDecipheriv(CIPHER, keyOf(k), nonce, TAG)
    decipher.setAAD(ad, { plaintextLength: end })
    decipher.setAuthTag(ciphertext.subarray(end))
    const text = ciphertext instanceof Uint8Array ? ciphertext.subarray(0, end) : ciphertext.sublist(0, end)
    const parts = Array.from(partsOf(text), (part) => decipher.update(part))
    decipher.final()
    return whole(parts)
  },
}

/**
 * What we use of a secured connection beyond its exported type (`EncryptedMessageStream` of noise 17.0.3). No contract
 * of theirs, hence the exact version.
 */
interface Secured {
  readonly decoder: { lengthDecoder: (data: Uint8ArrayList) => number }
  readonly handshake: { decrypt(message: Uint8ArrayList): Bytes }
  decrypt: (message: Uint8ArrayList) => Bytes
}

const NOT_YET = new RangeError('the length of the next frame is not there yet')

/**
 * Of two bytes, big endian. Nobody sends what has nothing in it, and to read it costs as much as what has.
 * @throws RangeError where there are fewer: the decoder waits for more
 * @throws MeshError CODEC_MALFORMED: the connection ends
 */
function lengthOf(data: Uint8ArrayList): number {
  if (data.byteLength < 2) throw NOT_YET
  const length = (data.get(0) << 8) | data.get(1)
  if (length <= TAG_BYTES) throw new MeshError('CODEC_MALFORMED', 'a message of noise with nothing in it')
  return length
}

/** In place: the decoder goes on with this very list. */
function join(data: Uint8ArrayList): void {
  const all = data.subarray()
  data.consume(data.byteLength)
  data.append(all)
}

/**
 * To be called with the length of each message. An honest peer sends a short one for each short frame of yamux, which has the
 * same bound, and for what is left of a long one: whole messages come before that.
 */
function boundShort(): (bytes: number) => void {
  const short = new Bucket(SHORT_PER_SECOND, SHORT_BURST)
  let isRest = false
  return (bytes) => {
    if (bytes < SHORT_BYTES && !isRest && short.take() < 0)
      throw new MeshError(
        'LIMIT_RATE',
        `more than ${SHORT_PER_SECOND} messages of noise a second with next to nothing in them`,
      )
    isRest = bytes === MOST_BYTES
  }
}

/**
 * The decoder asks for one length more than there are frames, each time something comes. Theirs makes a new error then,
 * with the stack it was thrown on, which costs as much as decrypting a small message. And their `decrypt` copies each
 * message that came in parts, for a cipher that writes over what it reads. Bytes that come one by one become a list of so
 * many parts that to keep and to shorten it costs more than what is in it.
 */
function readQuickly<T extends { readonly connection: unknown }>(secured: T): T {
  const connection = secured.connection as Secured
  const count = boundShort()
  let reads = 0
  connection.decoder.lengthDecoder = (data) => {
    reads += 1
    if (reads > JOINED_AFTER) {
      join(data)
      reads = 0
    }
    return lengthOf(data)
  }
  connection.decrypt = (message) => {
    reads = 0
    count(message.byteLength - TAG_BYTES)
    return connection.handshake.decrypt(message)
  }
  return secured
}

export function nativeNoise(): ReturnType<typeof noise> {
  const factory = noise({ crypto: nativeCrypto })
  return (components) => {
    const encrypter = factory(components)
    const inbound = encrypter.secureInbound.bind(encrypter)
    const outbound = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureInbound = async (...args) => readQuickly(await inbound(...args))
    encrypter.secureOutbound = async (...args) => readQuickly(await outbound(...args))
    return encrypter
  }
}
