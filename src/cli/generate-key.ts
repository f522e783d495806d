import { generateKeyPairSync } from 'node:crypto'
import type { PublicKey } from '../model/root.ts'
import { PrivateKey } from '../trust/private-key.ts'

/**
 * A fresh key. It is made out here because chance has no place in the pure part.
 * @returns the PKCS#8 PEM for a file of mode 0600, and the key itself
 */
export function generatePrivateKey(type: PublicKey['type']): { pem: string; key: PrivateKey } {
  const { privateKey } =
    type === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    key: new PrivateKey(privateKey),
  }
}
