/** Key files: PKCS#8 PEM, mode 0600, with the public half beside it as FILE.pub. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { looseMode, WHERE_NO_MODES } from '../daemon/key-mode.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { KeyId } from '../model/ids.ts'
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
    const text = `${path} has mode ${loose}, others may use this key; run: chmod 600 ${path}; ${WHERE_NO_MODES}`
    throw new MeshError('CONFIG_KEY_MODE', text, { path })
  }
  return naming(path, () => privateKeyFromPem(pem))
}

/** @throws MeshError CONFIG_KEY */
export function readPublicKey(path: string): PublicKey {
  const pem = readKeyText(path)
  return naming(path, () => publicKeyFromPem(pem))
}

/** In help texts, of what `keyNamed` takes. */
export const LOST_KEY = 'of a lost one its id, as trust show prints it, or 8 digits of it or more'

/** Beginnings that are shorter than this are slips: even among few keys they soon name another one. */
const LEAST_DIGITS = 8

/**
 * Which of a role's keys is meant: by its public half or, as that may be lost with it, by its id or a beginning of it.
 * A file of that name counts first: no file is called like an id by accident.
 * @param before keys that the role had until now, for an id that is none of those that it has
 * @throws MeshError CONFIG_KEY, USAGE
 */
export function keyNamed(
  given: string,
  keys: readonly KeyId[],
  what: string,
  before: () => readonly KeyId[] = () => [],
): KeyId {
  if (existsSync(given)) return readPublicKey(given).id
  if (!/^[0-9a-f]{1,64}$/.test(given)) {
    const text = `cannot read the key ${given}: no such file; a key whose file is lost is named by its id, which trust show prints`
    throw new MeshError('CONFIG_KEY', text, { path: given })
  }
  if (given.length < LEAST_DIGITS)
    throw new MeshError('USAGE', `key ${given}: give at least ${LEAST_DIGITS} digits of its id`)
  const among = (ids: readonly KeyId[]) => ids.filter((id) => id.startsWith(given))
  const now = among(keys)
  const [found, ...more] = now.length > 0 ? now : among(before())
  if (found === undefined)
    throw new MeshError('USAGE', `key ${given} is none of ${what}; trust show prints them`)
  if (more.length === 0) return found
  throw new MeshError(
    'USAGE',
    `${more.length + 1} keys of ${what} begin with ${given}; give more digits of the one that is meant`,
  )
}

/** Writes FILE and FILE.pub, both new. @throws MeshError INPUT_EXISTS, INPUT_PATH, CONFIG_KEY_MODE (it cannot be closed) */
export function writeKeyPair(path: string, type: PublicKey['type']): PrivateKey {
  for (const half of [path, `${path}.pub`]) requireNew(half)
  const pair = generatePrivateKey(type)
  saveKeyPair(path, pair)
  return pair.key
}

/** One that is made already; half of it would stand in the way of the next try. @throws MeshError as `writeKeyPair` */
export function saveKeyPair(path: string, { pem, key }: KeyPair): void {
  writeNew(path, pem, 0o600)
  try {
    writeNew(`${path}.pub`, publicPem(key.public), 0o644)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
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
