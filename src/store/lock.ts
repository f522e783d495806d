import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { faultOf, isDamage, storeError } from './faults.ts'

export interface Lock {
  /** LevelDB's folder that is locked. */
  readonly path: string
  release(): Promise<void>
}

/** Keeps a folder to this process. @throws MeshError STORE_LOCKED, STORE_FULL, STORE_FAILED */
export async function lockDirectory(dir: string): Promise<Lock> {
  await mkdir(dir, { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw storeError(error, dir)
  })
  return lockFolder(join(dir, '.lock'), dir)
}

/**
 * Node has no `flock`, but LevelDB locks its folder with `fcntl` for as long as the process lives, kill -9 included, so
 * an empty one serves.
 *
 * @param dir what it stands for, in errors
 * @throws MeshError STORE_LOCKED, STORE_FULL, STORE_FAILED
 */
export async function lockFolder(path: string, dir = path): Promise<Lock> {
  const open = async (): Promise<Lock> => {
    const level = new Level(path)
    await level.open()
    return { path, release: () => level.close() }
  }
  try {
    return await open()
  } catch (error) {
    // Nothing is in it, so damage costs nothing, nor does a file of it that is gone; LevelDB locks it before it reads any.
    if (!isDamage(error)) throw storeError(error, dir)
    await rm(path, { recursive: true, force: true })
    return await open().catch((again: unknown) => {
      throw storeError(again, dir)
    })
  }
}

/** Another process has this LevelDB open. Locking is what opening begins with; told to make one anew, it goes no further. */
export async function isInUse(path: string): Promise<boolean> {
  const level = new Level(path, { createIfMissing: false, errorIfExists: true })
  return level.open().then(
    () => level.close().then(() => false),
    (error: unknown) => faultOf(error) === 'locked',
  )
}

export async function lockAll(dirs: readonly string[]): Promise<readonly Lock[]> {
  const locks: Lock[] = []
  try {
    for (const dir of dirs) locks.push(await lockDirectory(dir))
  } catch (error) {
    await Promise.allSettled(locks.map((lock) => lock.release()))
    throw error
  }
  return locks
}
