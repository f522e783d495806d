/**
 * KEY.lock serialises publishing with one key. It is a folder that LevelDB locks for as long as the process lives: who is
 * alive says the kernel, by no pid, host name or clock, so that containers that share a volume do not mistake each other's
 * lock for one of the dead, and kill -9 leaves none behind. The folder stays.
 */
import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { lockFolder } from '../daemon/lock.ts'
import { isMeshError, MeshError } from '../errors.ts'
import { BY_ENVIRONMENT } from '../publish/counter.ts'

const POLL_MS = 100

type Free = () => Promise<void>

/** One after another, in an order that all runs have. @throws MeshError as `lockKey` */
export async function lockKeys(
  keyFiles: readonly string[],
  waitMs: number,
  otherwise = BY_ENVIRONMENT,
): Promise<Free> {
  const locks: Free[] = []
  const free = async () => {
    for (const one of locks.splice(0).reverse()) await one()
  }
  try {
    for (const file of keyFiles.toSorted()) locks.push(await lockKey(file, waitMs, otherwise))
  } catch (error) {
    await free()
    throw error
  }
  return free
}

/**
 * @param otherwise what else helps where it cannot be locked
 * @returns frees the lock; the end of the process does, too
 * @throws MeshError LIMIT_TIMEOUT (another run holds it for too long), INPUT_PATH (folder or lock not writable),
 *   STORE_FULL, STORE_FAILED (what may pass)
 */
export async function lockKey(keyFile: string, waitMs: number, otherwise = BY_ENVIRONMENT): Promise<Free> {
  const path = `${keyFile}.lock`
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    throw new MeshError(
      'INPUT_PATH',
      `${path} is the lock of an older build; remove it, once no such build publishes with this key any more`,
      { path },
    )
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      const { release } = await lockFolder(path)
      return release
    } catch (error) {
      if (!isMeshError(error) || error.code !== 'STORE_LOCKED') throw notLocked(path, error, otherwise)
      if (performance.now() > deadline)
        throw new MeshError(
          'LIMIT_TIMEOUT',
          `${path}: another run has been publishing with this key for ${waitMs} ms; try again once it has ended`,
          { path },
          { cause: error },
        )
    }
    await delay(POLL_MS * (0.5 + Math.random()))
  }
}

/** These pass: a key without its memory of places is no way out of them. LevelDB gives the system's text alone, or musl's. */
const PASSES =
  /no space left|quota exceeded|too many open files|no file descriptors available|input\/output error|i\/o error/i

function notLocked(path: string, error: unknown, otherwise: string): MeshError {
  let reason = error as Error
  while (reason.cause instanceof Error) reason = reason.cause
  if (isMeshError(error) && PASSES.test(reason.message)) return error
  return new MeshError(
    'INPUT_PATH',
    `cannot lock ${path}: ${reason.message}; make the key's folder, and the lock in it, this user's own and writable, on a file system with locks${otherwise}`,
    { path },
    { cause: error },
  )
}
