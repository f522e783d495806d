/** KEY.lock serialises publishing with one key on one host; it holds the pid, so that a dead run's lock is known. */
import { linkSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { MeshError } from '../errors.ts'

const POLL_MS = 50
/** A lock is written at once: one that is empty for longer is of a run that died, or of a disk that was full. */
const MAX_EMPTY_MS = 1_000
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Of this process: any other lock with its pid is of an earlier one that had the same, as each has in a container. */
const held = new Set<string>()

/**
 * @returns frees the lock; also done when the process exits, or is ended by a signal that can be heard
 * @throws MeshError NET_TIMEOUT (another run holds it for too long), INPUT_PATH (folder not writable)
 */
export async function lockKey(keyFile: string, waitMs: number): Promise<() => void> {
  const path = `${keyFile}.lock`
  const deadline = performance.now() + waitMs
  while (!tryLock(path)) {
    if (isDead(path, path)) breakLock(path)
    else if (performance.now() > deadline)
      throw new MeshError(
        'LIMIT_TIMEOUT',
        `${path}: process ${holderOf(path) ?? 'unknown'} has been publishing with this key for ${waitMs} ms; try again, or remove the file if it is not`,
        { path },
      )
    else await delay(POLL_MS * (0.5 + Math.random()))
  }
  held.add(path)
  const free = () => {
    process.off('exit', free)
    for (const signal of ENDING) process.off(signal, exitOn)
    held.delete(path)
    rmSync(path, { force: true })
  }
  process.on('exit', free)
  for (const signal of ENDING) process.on(signal, exitOn)
  return free
}

/** A signal that nobody hears ends a process without its `exit`. */
const exitOn = (signal: (typeof ENDING)[number]): never => process.exit(128 + constants.signals[signal])

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

/** @param file the lock, or what was moved away from its path */
function isDead(file: string, path: string): boolean {
  const holder = holderOf(file)
  if (holder === undefined) return isLongEmpty(file)
  return holder === process.pid ? !held.has(path) : !isAlive(holder)
}

function isLongEmpty(file: string): boolean {
  try {
    const { size, mtimeMs } = statSync(file)
    return size === 0 && Date.now() - mtimeMs > MAX_EMPTY_MS
  } catch {
    return false // gone: free
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
function breakLock(path: string): void {
  const aside = `${path}.${process.pid}.dead`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  try {
    if (!isDead(aside, path)) linkSync(aside, path)
  } catch {
    // A third run has the lock by now; the next attempt sees it.
  }
  unlinkSync(aside)
}
