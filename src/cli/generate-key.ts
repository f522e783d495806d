import { generateKeyPairSync } from 'node:crypto'
import type { PublicKey } from '../model/root.ts'
import { PrivateKey } from '../trust/private-key.ts'

export interface KeyPair {
  /** PKCS#8, for a file of mode 0600. */
  readonly pem: string
  readonly key: PrivateKey
}

/** A fresh key. It is made out here because chance has no place in the pure part. */
export function generatePrivateKey(type: PublicKey['type']): KeyPair {
  const { privateKey } =
    type === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    key: new PrivateKey(privateKey),
  }
}
