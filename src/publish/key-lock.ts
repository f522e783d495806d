/** KEY.lock serialises publishing with one key on one host; it holds the pid, so that a dead run's lock is known. */
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { MeshError } from '../errors.ts'

const POLL_MS = 50

/**
 * @returns frees the lock; also done when the process exits
 * @throws MeshError NET_TIMEOUT (another run holds it for too long), INPUT_PATH (folder not writable)
 */
export async function lockKey(keyFile: string, waitMs: number): Promise<() => void> {
  const path = `${keyFile}.lock`
  const deadline = performance.now() + waitMs
  while (!tryLock(path)) {
    const holder = holderOf(path)
    if (holder !== undefined && !isAlive(holder)) breakLock(path, holder)
    else if (performance.now() > deadline)
      throw new MeshError(
        'LIMIT_TIMEOUT',
        `${path}: process ${holder ?? 'unknown'} has been publishing with this key for ${waitMs} ms; try again, or remove the file if it is not`,
        { path },
      )
    else await delay(POLL_MS * (0.5 + Math.random()))
  }
  const free = () => {
    process.off('exit', free)
    rmSync(path, { force: true })
  }
  process.on('exit', free)
  return free
}

function tryLock(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    throw new MeshError(
      'INPUT_PATH',
      `cannot write ${path}: ${code}; make the key's folder writable, or give the key by CONFMESH_KEY`,
      { path },
      { cause: error },
    )
  }
}

/** Undefined: gone, or not written to the end yet. */
function holderOf(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return /^\d+\n$/.test(text) ? Number(text) : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Moved away first: what was taken may by now be the lock of another run that found the dead one's, too. */
function breakLock(path: string, holder: number): void {
  const aside = `${path}.${process.pid}.dead`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  try {
    if (holderOf(aside) !== holder) linkSync(aside, path)
  } catch {
    // A third run has the lock by now; the next attempt sees it.
  }
  unlinkSync(aside)
}
