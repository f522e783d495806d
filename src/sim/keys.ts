import { hexToBytes, sha256 } from '../codec/digest.ts'
import { peerOfRawKey } from '../codec/peer-id.ts'
import type { PeerId } from '../model/ids.ts'
import { type PrivateKey, privateKeyFromPem } from '../trust/private-key.ts'

/** PKCS#8 of an Ed25519 key up to the key itself: RFC 8410 §7. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const RAW_KEY_BYTES = 32

const keys = new Map<string, PrivateKey>()

/** The same key for the same name, in every run: signatures are part of what must repeat. */
export function keyNamed(name: string): PrivateKey {
  const known = keys.get(name) ?? makeKey(name)
  keys.set(name, known)
  return known
}

function makeKey(name: string): PrivateKey {
  const der = Buffer.concat([
    PKCS8_PREFIX,
    hexToBytes(sha256(Buffer.from(`confmesh simulation key ${name}`))),
  ])
  return privateKeyFromPem(
    `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`,
  )
}

export const peerOfKey = (key: PrivateKey): PeerId => peerOfRawKey(key.public.spki.subarray(-RAW_KEY_BYTES))
