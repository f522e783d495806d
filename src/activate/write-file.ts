import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, type FileHandle, lstat, open, rm } from 'node:fs/promises'
import type { ManifestEntry } from '../model/manifest.ts'
import { activateError, isFull, isShort } from './errors.ts'
import { fileMode, type Ownership, own } from './ownership.ts'
import { type ContentStore, contentGone } from './read-manifest.ts'

/** Fails where anything, a link too, is at this path already. */
const EXCLUSIVE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** Not waiting where somebody put a pipe in place of a file. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CHUNK_BYTES = 1024 * 1024
const LEAST_CHUNK_BYTES = 4 * 1024
/** What is written is made durable so often: at the end of gigabytes the sync of all of it would be waited for by a stop. */
const SYNC_BYTES = 64 * 1024 * 1024
/** A second of a slow disk: the system copies a file at a stretch, and a node that stops would wait for it. */
const MOST_AT_ONCE_BYTES = 16 * 1024 * 1024

export interface Target {
  readonly entry: ManifestEntry
  /** Where it goes; its folder is there, the file is not. */
  readonly path: string
  /** The same path in the last tree, if there was one. */
  readonly last: string | undefined
  readonly ownership: Ownership
}

/**
 * One file of a tree, durable and checked against its digest when this resolves: cloned from the last tree where
 * it is the same there (copy-on-write where the file system can, never a shared inode), else from the store.
 *
 * @returns false where the last tree was to hold it and does not: somebody changed it there
 * @throws MeshError CONTENT_GONE, CONTENT_DIGEST, LIMIT_CONTENT; errors of the file system; why it was aborted
 */
export async function writeTreeFile(
  store: ContentStore,
  target: Target,
  signal: AbortSignal,
): Promise<boolean> {
  if (await clone(target, signal)) return true
  const { entry, path, ownership } = target
  const handle = await open(path, EXCLUSIVE, 0o600)
  try {
    const hash = createHash('sha256')
    const write = durablyTo(handle)
    for (const { digest, size } of entry.blocks) {
      signal.throwIfAborted()
      const bytes = await store.readBlock(digest)
      const block = `block ${digest.slice(0, 12)} of ${JSON.stringify(entry.path)}`
      if (bytes === undefined) throw contentGone(block)
      // Sizes are what the bounds of a release were reckoned by.
      if (bytes.length !== size)
        throw activateError('LIMIT_CONTENT', `${block} has ${bytes.length} bytes, the manifest says ${size}`)
      hash.update(bytes)
      await write(bytes)
    }
    if (hash.digest('hex') !== entry.digest)
      throw activateError(
        'CONTENT_DIGEST',
        `${JSON.stringify(entry.path)}: its blocks do not give its digest`,
      )
    await finish(handle, entry, ownership)
  } finally {
    await handle.close()
  }
  return target.last === undefined
}

/** One write after another, to its end. */
function durablyTo(handle: FileHandle): (bytes: Uint8Array) => Promise<void> {
  let unsynced = 0
  return async (bytes) => {
    for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten
    unsynced += bytes.length
    if (unsynced < SYNC_BYTES) return
    await handle.datasync()
    unsynced = 0
  }
}

async function finish(handle: FileHandle, entry: ManifestEntry, ownership: Ownership): Promise<void> {
  await own(handle, fileMode(ownership, entry.mode), ownership)
  await handle.sync()
}

/** False where the last tree does not have it, or not readable: nothing of it is left then. */
async function clone(target: Target, signal: AbortSignal): Promise<boolean> {
  const { last, path } = target
  if (last === undefined || !(await mayBeSame(last, target))) return false
  try {
    if (await cloneFrom(last, target, signal)) return true
  } catch (error) {
    signal.throwIfAborted()
    // The store's copy would find no room either, or nothing is known of the last tree.
    if (isFull(error) || isShort(error)) throw error
  }
  await rm(path, { force: true })
  return false
}

async function mayBeSame(last: string, { entry }: Target): Promise<boolean> {
  const stat = await lstat(last).catch((error: unknown) => {
    if (isShort(error)) throw error
    return undefined
  })
  return stat?.isFile() === true && stat.size === entry.size
}

/** The clone's digest counts, not the original's: what was edited there must not come over. */
async function cloneFrom(last: string, target: Target, signal: AbortSignal): Promise<boolean> {
  const { entry, path, ownership } = target
  if (entry.size <= MOST_AT_ONCE_BYTES)
    await copyFile(last, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  else if (!(await isShared(last, path))) return copyInPieces(last, target, signal)
  const handle = await open(path, READ)
  try {
    if ((await digestOf(handle, entry.size, signal)) !== entry.digest) return false
    await finish(handle, entry, ownership)
    return true
  } finally {
    await handle.close()
  }
}

/** Copy-on-write. Where that fails nothing of it is there, and whatever is wrong the copy meets as well. */
const isShared = (last: string, path: string): Promise<boolean> =>
  copyFile(last, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  )

/** Digest and copy of the same bytes: each is read once. */
async function copyInPieces(
  last: string,
  { entry, path, ownership }: Target,
  signal: AbortSignal,
): Promise<boolean> {
  const from = await openForReading(last)
  try {
    const to = await open(path, EXCLUSIVE, 0o600)
    try {
      const hash = createHash('sha256')
      const write = durablyTo(to)
      const buffer = new Uint8Array(CHUNK_BYTES)
      for (let at = 0; at <= entry.size; ) {
        signal.throwIfAborted()
        const { bytesRead } = await from.read(buffer, 0, buffer.length, at)
        if (bytesRead === 0) break
        const bytes = buffer.subarray(0, bytesRead)
        hash.update(bytes)
        await write(bytes)
        at += bytesRead
      }
      if (hash.digest('hex') !== entry.digest) return false
      signal.throwIfAborted()
      await finish(to, entry, ownership)
      return true
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

/**
 * SHA-256 of a file, in hex, read in pieces.
 * @param size that it should have; however large it is, it is read to its end
 */
export async function digestOf(handle: FileHandle, size: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(LEAST_CHUNK_BYTES, size)))
  for (let at = 0; ; ) {
    signal.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
}

export const openForReading = (path: string): Promise<FileHandle> => open(path, READ)
