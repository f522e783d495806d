/** Who a node is on the network: an Ed25519 key in `<data>/identity.key`, and the peer id that follows from it. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto'
import type { Stats } from 'node:fs'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { MeshError } from '../errors.ts'
import type { PeerId } from '../model/ids.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import { keepsNoModes, OTHERS_MAY, octal, WHERE_NO_MODES } from './no-modes.ts'

export interface Identity {
  /** PKCS#8 PEM of the Ed25519 private key. */
  readonly pem: string
  readonly peerId: PeerId
}

export const IDENTITY_FILE = 'identity.key'
/** What to do about a file that holds no key. */
export const NO_IDENTITY =
  'put its copy back, or remove it: the node then gets a new peer id, which a pool admits and a certificate of its own does not'
/** The raw key is the tail of both DER forms: RFC 8410. */
const KEY_BYTES = 32
/** What link says on file systems without hard links (FAT, many of FUSE), or where a file may have one name alone. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])

/**
 * The key in `<dataDir>/identity.key`, made at first use (mode 0600, on disk before this resolves).
 * @throws MeshError CONFIG_KEY (no Ed25519 key), CONFIG_KEY_MODE (others may read it, or could), CONFIG_UNREADABLE
 */
export async function loadOrCreateIdentity(dataDir: string): Promise<Identity> {
  const path = join(dataDir, IDENTITY_FILE)
  const pem = (await readIdentity(path)) ?? (await createIdentity(path))
  return { pem, peerId: peerIdOf(pem) }
}

/** @throws MeshError CONFIG_KEY where the text is no PKCS#8 PEM of an Ed25519 key */
export function peerIdOf(pem: string): PeerId {
  const spki = createPublicKey(ed25519Key(pem)).export({ type: 'spki', format: 'der' })
  return peerIdFromPublicKey(publicKeyFromRaw(spki.subarray(-KEY_BYTES))).toString() as PeerId
}

/** The same key in libp2p's form. @throws MeshError CONFIG_KEY */
export function libp2pKey(pem: string): Promise<Ed25519PrivateKey> {
  const pkcs8 = ed25519Key(pem).export({ type: 'pkcs8', format: 'der' })
  return generateKeyPairFromSeed('Ed25519', new Uint8Array(pkcs8.subarray(-KEY_BYTES)))
}

/** A fresh key, for hosts that need no lasting identity. */
export function newIdentityPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

function ed25519Key(pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (error) {
    throw new MeshError(
      'CONFIG_KEY',
      'the node identity is no private key in PKCS#8 PEM',
      {},
      { cause: error },
    )
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    const type = key.asymmetricKeyType ?? 'unknown'
    throw new MeshError('CONFIG_KEY', `the node identity is a key of type ${type}; it must be Ed25519`, {
      type,
    })
  }
  return key
}

/** Windows has no such bits. */
const isOpenToOthers = ({ mode }: Stats): boolean => process.platform !== 'win32' && (mode & OTHERS_MAY) !== 0

async function readIdentity(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path)
    if (isOpenToOthers(found)) {
      const text = `${path} has mode ${octal(found)}; run: chmod 600 ${path}; ${WHERE_NO_MODES}`
      throw new MeshError('CONFIG_KEY_MODE', text, { path })
    }
    const pem = await readFile(path, 'utf8')
    checkedAt(path, pem)
    return pem
  } catch (error) {
    if (error instanceof MeshError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unreadable(path, 'read', error)
  }
}

/** Names the file, which `peerIdOf` cannot know, and what to do: never a new identity without a word. */
function checkedAt(path: string, pem: string): void {
  try {
    ed25519Key(pem)
  } catch (error) {
    const what = pem.trim() === '' ? 'is empty' : (error as Error).message
    throw new MeshError('CONFIG_KEY', `${path}: ${what}; ${NO_IDENTITY}`, { path }, { cause: error })
  }
}

/** Written aside and linked: a crash leaves the whole key or none, and two processes that start at once have one. */
async function createIdentity(path: string): Promise<string> {
  const folder = dirname(path)
  const aside = `${path}.${randomUUID()}.new`
  await makeFolder(folder, 0o700).catch((error: unknown) => {
    throw unmakeable(folder, error)
  })
  try {
    await writeSynced(aside, path)
    await link(aside, path).catch(async (error: NodeJS.ErrnoException) => {
      if (NO_LINKS.has(error.code ?? '')) await renameLocked(aside, path)
      else if (error.code !== 'EEXIST') throw error
    })
    await syncFolder(folder)
    return await readFile(path, 'utf8')
  } catch (error) {
    throw error instanceof MeshError ? error : unreadable(path, 'write', error)
  } finally {
    await rm(aside, { force: true })
  }
}

/**
 * Without hard links. A rename takes the place of what another start put there, so only who holds the lock may do it,
 * and only where nothing is. A start that dies meanwhile leaves its lock, which the next one names.
 */
async function renameLocked(aside: string, path: string): Promise<void> {
  const lock = `${path}.lock`
  try {
    await (await open(lock, 'wx', 0o600)).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (await isThere(path)) return
    throw beingMade(lock, error)
  }
  try {
    if (!(await isThere(path))) await rename(aside, path)
  } finally {
    await rm(lock, { force: true })
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** @param path the name that it gets */
async function writeSynced(aside: string, path: string): Promise<void> {
  const file = await open(aside, 'wx', 0o600)
  try {
    // Whatever the umask took from it. Some mounts refuse that, and may say 0600 of each file all the same.
    const cause = await file.chmod(0o600).catch((error: unknown) => error)
    const found = await file.stat()
    // While it is empty: every later start would refuse it.
    if (isOpenToOthers(found)) throw keepsNoModes(path, found, cause)
    await file.writeFile(newIdentityPem())
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Of file systems that sync no folder, such as shares of a virtual machine: there is no more to be had there. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'ENOTSUP'])

/** Else a power loss takes the name away, and the next start makes another identity. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path)
  try {
    await folder.sync()
  } catch (error) {
    if (!NO_FOLDER_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await folder.close()
  }
}

const reasonOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message

function beingMade(lock: string, error: unknown): MeshError {
  return new MeshError(
    'CONFIG_UNREADABLE',
    `${lock} is there: another start is making the key; start again once it has, or remove that file if none runs`,
    { path: lock },
    { cause: error },
  )
}

function unmakeable(folder: string, error: unknown): MeshError {
  return new MeshError(
    'CONFIG_UNREADABLE',
    `cannot make the folder ${folder}: ${reasonOf(error)}; name a data folder where the node's user may make one`,
    { path: folder },
    { cause: error },
  )
}

function unreadable(path: string, verb: string, error: unknown): MeshError {
  return new MeshError(
    'CONFIG_UNREADABLE',
    `cannot ${verb} ${path}: ${reasonOf(error)}; the data folder must be the node's user's own`,
    { path },
    { cause: error },
  )
}
