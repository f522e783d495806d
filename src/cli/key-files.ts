/** Key files: PKCS#8 PEM, mode 0600, with the public half beside it as FILE.pub. */
import { readFileSync } from 'node:fs'
import { looseMode } from '../daemon/key-mode.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { PublicKey } from '../model/root.ts'
import { type PrivateKey, privateKeyFromPem, publicKeyFromPem, publicPem } from '../trust/private-key.ts'
import { requireNew, writeNew } from './files.ts'
import { generatePrivateKey, type KeyPair } from './generate-key.ts'

/** @throws MeshError CONFIG_KEY, CONFIG_KEY_MODE (anyone but the owner may read or write it) */
export function readPrivateKey(path: string): PrivateKey {
  const pem = readKeyText(path)
  // Before its mode: nobody is to make a public key private in order to learn that it is the wrong file.
  if (pem.includes('BEGIN PUBLIC KEY'))
    throw new MeshError('CONFIG_KEY', `${path} is a public key; name the private one, without .pub`, { path })
  const loose = looseMode(path)
  if (loose !== undefined) {
    const text = `${path} has mode ${loose}, others may use this key; run: chmod 600 ${path}`
    throw new MeshError('CONFIG_KEY_MODE', text, { path })
  }
  return naming(path, () => privateKeyFromPem(pem))
}

/** @throws MeshError CONFIG_KEY */
export function readPublicKey(path: string): PublicKey {
  const pem = readKeyText(path)
  return naming(path, () => publicKeyFromPem(pem))
}

/** Writes FILE and FILE.pub, both new. @throws MeshError INPUT_EXISTS, INPUT_PATH */
export function writeKeyPair(path: string, type: PublicKey['type']): PrivateKey {
  for (const half of [path, `${path}.pub`]) requireNew(half)
  const pair = generatePrivateKey(type)
  saveKeyPair(path, pair)
  return pair.key
}

/** One that is made already. @throws MeshError INPUT_EXISTS, INPUT_PATH */
export function saveKeyPair(path: string, { pem, key }: KeyPair): void {
  writeNew(path, pem, 0o600)
  writeNew(`${path}.pub`, publicPem(key.public), 0o644)
}

function readKeyText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const reason = code === 'ENOENT' ? 'no such file' : (code ?? 'unreadable')
    throw new MeshError('CONFIG_KEY', `cannot read the key ${path}: ${reason}`, { path }, { cause: error })
  }
}

function naming<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!isMeshError(error)) throw error
    throw new MeshError('CONFIG_KEY', `${path}: ${error.message}`, { path }, { cause: error })
  }
}
