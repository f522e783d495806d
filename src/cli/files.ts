/**
 * Files that the command line writes: whole or not at all, and never over what somebody has. Each may throw what
 * `pathFailure` makes of a disk, also where INPUT_PATH alone is named.
 */
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  createWriteStream,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  type WriteStream,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { closeToOthers, OTHERS_MAY } from '../daemon/key-mode.ts'
import { makeFolder } from '../daemon/make-folder.ts'
import { isForbiddenCode, MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { pathFailure } from '../publish/path-failure.ts'

/** What link says on file systems without hard links, as sticks and shares have them; net/identity.ts knows the same. */
const NO_LINKS: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])

/** A file in someone's hands that we only read. @throws MeshError INPUT_PATH */
export function readInput(path: string, what: string): string {
  try {
    if (statSync(path).size > LIMITS.maxConfigBytes) {
      throw new MeshError('INPUT_PATH', `${path}: too long for ${what}`, { path })
    }
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw cannot('read', path, what, error)
  }
}

/** Told before work that cannot be undone: its name is free, its folder there. @throws MeshError INPUT_EXISTS, INPUT_PATH */
export function requireNew(path: string): void {
  if (existsSync(path)) throw isThere(path)
  try {
    // The folder's own entry: what stands there instead of a folder has none.
    accessSync(`${dirname(path)}/.`, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw cannot('write', path, 'a file', error)
  }
}

/**
 * A new file, on disk when this returns; where it throws it is taken away, or the next try would find its name taken.
 * @param mode one that gives others nothing is a key's; any other is meant whatever the umask
 * @throws MeshError INPUT_EXISTS, INPUT_PATH, CONFIG_KEY_MODE (of a key, where the file system keeps no modes)
 */
export function writeNew(path: string, text: string, mode: number): void {
  let isNamed = false
  try {
    writeAside(path, text, mode, (aside) => {
      nameNew(aside, path, () => copyNew(aside, path))
      isNamed = true
      unlinkSync(aside)
    })
  } catch (error) {
    if (isNamed) discard(path)
    throw error
  }
}

/** A second name, which must be free; `withoutLinks` gives it where the file system has no hard links. */
function nameNew(aside: string, path: string, withoutLinks: () => void): void {
  try {
    linkSync(aside, path) // fails where the name is taken, unlike rename
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code)) throw error
    withoutLinks()
  }
}

/** Without hard links: not whole at once, but taken away where it fails. @throws an error of code EEXIST where the name is taken */
function copyNew(from: string, path: string): void {
  try {
    copyFileSync(from, path, constants.COPYFILE_EXCL)
    sync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(path, { force: true })
    throw error
  }
}

/**
 * Puts a new text in the place of the old: a reader sees the one or the other, and whoever could read the one by its mode can
 * read the other, such as a node that runs as another user; access control lists are not kept. Where others may read it, but
 * it cannot be given to the group that it had, it is as open as a new one: by that group the node may have read it. A link is
 * replaced, not followed: whoever may write to the folder could else point it at a file of the caller's while this runs.
 * @param mode of a new one
 * @throws MeshError INPUT_PATH
 */
export function replaceFile(path: string, text: string, mode: number): void {
  writeAside(path, text, mode, (aside) => renameSync(aside, path), standing(path))
}

/** Where that cannot be told, nothing can be written either. */
function standing(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Gives a new file that is on disk its name, which is when this returns. @throws MeshError INPUT_EXISTS, INPUT_PATH */
export function putInPlace(aside: string, path: string): void {
  try {
    nameNew(aside, path, () => {
      // A copy would take room for as much again.
      if (existsSync(path)) throw isThere(path)
      renameSync(aside, path)
    })
    discard(aside)
    syncFolder(dirname(path))
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw cannot('write', path, 'a file', error)
  }
}

/** An empty folder, made where it is missing. @throws MeshError INPUT_EXISTS, INPUT_PATH */
export async function makeEmptyFolder(path: string): Promise<void> {
  try {
    if (existsSync(path) && (!statSync(path).isDirectory() || readdirSync(path).length > 0)) {
      throw new MeshError('INPUT_EXISTS', `${path} is no empty folder; name a new one`, { path })
    }
    // Whoever may change what is in it says what a node runs.
    await makeFolder(resolve(path), 0o755)
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw cannot('make', path, 'a folder', error)
  }
}

/** A folder that is there only once this made it: of two that come at once one is refused. @throws MeshError INPUT_EXISTS, INPUT_PATH */
export function makeNewFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    throw cannot('make', path, 'a folder', error)
  }
}

/**
 * Where what fills a folder fails no half of it stays: the next try would find it taken.
 * @param made what this run made, in the order in which it is taken away
 * @param stays it is in use already
 * @throws as `fill` does
 */
export async function orEmptied<T>(
  made: readonly string[],
  stays: () => boolean,
  fill: () => Promise<T>,
): Promise<T> {
  try {
    return await fill()
  } catch (error) {
    if (!stays()) for (const path of made) rmSync(path, { recursive: true, force: true })
    throw error
  }
}

/** Signing takes as long as a file to write. */
const LOCKED_MS = 10_000
const POLL_MS = 20

/**
 * Reads and writes a file that several people sign, with nobody else in between. FILE.lock is a plain file, for they may be
 * several users of one folder; who is killed meanwhile leaves it.
 * @throws MeshError LIMIT_TIMEOUT, INPUT_PATH
 */
export async function whileLocked<T>(path: string, run: () => T): Promise<T> {
  const lock = `${path}.lock`
  const deadline = performance.now() + LOCKED_MS
  let taken = takeLock(lock)
  for (; taken === 'by another'; taken = takeLock(lock)) {
    if (performance.now() > deadline)
      throw new MeshError(
        'LIMIT_TIMEOUT',
        `${lock} is there: somebody signs this file, or was cut off; remove it if nobody does`,
        { path: lock },
      )
    await delay(POLL_MS * (0.5 + Math.random()))
  }
  try {
    return run()
  } finally {
    if (taken === 'here') rmSync(lock, { force: true })
  }
}

/** @throws MeshError INPUT_PATH */
function takeLock(lock: string): 'here' | 'by another' | 'not needed' {
  try {
    closeSync(openSync(lock, 'wx', 0o644))
    return 'here'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return 'by another'
    // Where nothing may be written nothing is overwritten either.
    if (isForbiddenCode(code)) return 'not needed'
    throw cannot('write', lock, 'a lock', error)
  }
}

/** A name of its own in each run: who is killed leaves it behind, and in a container the next one has the same process id. */
export const asideOf = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.new`

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Nothing of what is written aside stays behind, also not of Ctrl-C or of whoever ends this process; that ends it all the same. */
export async function whileAside<T>(aside: string, run: () => Promise<T>): Promise<T> {
  const unheard = (): void => {
    for (const signal of ENDING) process.off(signal, heard)
  }
  const heard = (signal: NodeJS.Signals): void => {
    discard(aside)
    unheard()
    process.kill(process.pid, signal)
  }
  for (const signal of ENDING) process.on(signal, heard)
  try {
    return await run()
  } finally {
    discard(aside)
    unheard()
  }
}

/** There once this returns, so that a signal leaves nothing that is only about to come. Whoever writes it says what went wrong. */
export const openAside = (aside: string, mode: number): WriteStream =>
  createWriteStream(aside, { fd: openSync(aside, 'wx', mode), flush: true })

function writeAside(
  path: string,
  text: string,
  newMode: number,
  put: (aside: string) => void,
  old?: Stats,
): void {
  const aside = asideOf(path)
  try {
    // Open to others once it is theirs.
    const file = openSync(aside, 'wx', old === undefined ? newMode : newMode & old.mode)
    try {
      const mode = old === undefined ? newMode : modeLike(file, old, newMode)
      if ((mode & OTHERS_MAY) === 0) closeToOthers(file, path)
      else openToOthers(file, mode)
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    put(aside)
    syncFolder(dirname(path))
  } catch (error) {
    discard(aside)
    throw error instanceof MeshError ? error : cannot('write', path, 'a file', error)
  }
}

/** What the umask took is given back. Where a file system keeps no modes each file has what it was mounted with. */
function openToOthers(file: number, mode: number): void {
  if ((fstatSync(file).mode & mode) === mode) return
  try {
    fchmodSync(file, mode)
  } catch {
    // As open as it is.
  }
}

/** As `replaceFile` says. */
function modeLike(file: number, old: Stats, newMode: number): number {
  const mode = old.mode & 0o777
  return giveTo(file, old) || (mode & OTHERS_MAY) === 0 ? mode : mode | newMode
}

/** To the owner and the group of the old one, as far as this user may: only root gives files away. @returns whether it could */
function giveTo(file: number, { uid, gid }: Stats): boolean {
  const made = fstatSync(file)
  if (made.uid === uid && made.gid === gid) return true
  try {
    fchownSync(file, process.geteuid?.() === 0 ? uid : -1, gid)
    return true
  } catch {
    // It stays the caller's.
    return false
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // It could not be written, so it cannot be looked at either: that is told.
  }
}

/** What a file holds is on disk when it returns, or which names a folder has. */
function sync(path: string): void {
  const opened = openSync(path, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

/** What is said of a folder that cannot be synced by this user, as a drop box, or at all, as on shares of a virtual machine. */
const NO_SYNC: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP'])

/** Which names a folder has is on disk when it returns, where that can be had: what got its name is there either way. */
export function syncFolder(path: string): void {
  try {
    sync(path)
  } catch (error) {
    if (!NO_SYNC.has((error as NodeJS.ErrnoException).code)) throw error
  }
}

const isThere = (path: string): MeshError =>
  new MeshError('INPUT_EXISTS', `${path} is there already; name another, or remove it first`, { path })

function cannot(verb: string, path: string, what: string, error: unknown): MeshError {
  if ((error as NodeJS.ErrnoException).code === 'EEXIST') return isThere(path)
  return pathFailure(`cannot ${verb} ${path} as ${what}`, path, error)
}
