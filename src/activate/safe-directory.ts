import { chmod, lstat, mkdir, realpath } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { makeFolder } from '../runtime/make-folder.ts'
import { activateError } from './errors.ts'

const WRITABLE_BY_GROUP = 0o020
const WRITABLE_BY_OTHERS = 0o002
const STICKY = 0o1000

/**
 * Node has no `openat`: a path is looked up anew with each call, so whoever may rename one of its folders may
 * send our writes elsewhere. Hence every folder from the root down must be one that only we or root can change.
 *
 * @throws MeshError ACTIVATE_UNSAFE_DIR
 */
export async function checkDirectory(path: string): Promise<void> {
  const parts = path.split(sep).filter((part) => part !== '')
  let at: string = sep
  await checkComponent(at, true)
  for (const [index, part] of parts.entries()) {
    at = join(at, part)
    await checkComponent(at, index < parts.length - 1)
  }
}

/** @param above a folder above ours: a sticky one of root's (`/tmp`) lets nobody rename what is ours. */
async function checkComponent(path: string, above: boolean): Promise<void> {
  const unsafe = (reason: string): Error =>
    activateError('ACTIVATE_UNSAFE_DIR', `${path}: ${reason}; materialize.dir must be ours alone to change`)
  const stat = await lstat(path)
  if (!stat.isDirectory()) throw unsafe(stat.isSymbolicLink() ? 'is a link' : 'is no directory')
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) throw unsafe(`belongs to user ${stat.uid}`)
  if (above && stat.uid === 0 && (stat.mode & STICKY) !== 0) return
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) throw unsafe('may be written by everyone')
  // A user's own group of one is how many systems make home folders group-writable.
  const ownGroup = stat.gid === 0 || stat.gid === process.getegid?.()
  if ((stat.mode & WRITABLE_BY_GROUP) !== 0 && !ownGroup) throw unsafe(`may be written by group ${stat.gid}`)
}

/**
 * Makes `dir` and what it lies in where they are missing. Applications of other users read below: the mode must not
 * depend on the process's umask. What was there before is its owner's to open.
 * @param closed stays as the umask has it
 */
export async function makeReadable(dir: string, closed?: string): Promise<void> {
  const path = resolve(dir)
  const first = await makeFolder(path, 0o755)
  if (first === undefined) return
  for (let at = path; at.length >= first.length; at = dirname(at)) if (at !== closed) await chmod(at, 0o755)
}

/** Makes `dir` where it is missing and gives its real path, checked. @throws MeshError ACTIVATE_UNSAFE_DIR */
export async function openDirectory(dir: string): Promise<string> {
  await makeReadable(dir)
  const real = await realpath(dir)
  await checkDirectory(real)
  return real
}

/** Folders below `base` one by one, each made or checked, none of them a link. @throws MeshError ACTIVATE_UNSAFE_DIR */
export async function makeDirectories(base: string, below: string): Promise<string> {
  await checkOrMake(
    () => checkDirectory(base),
    () => makeReadable(base),
  )
  let at = base
  for (const part of below.split('/')) {
    const path = join(at, part)
    await checkOrMake(
      () => checkComponent(path, false),
      () => makeOpen(path),
    )
    at = path
  }
  return at
}

/** Looked at first: nearly always it is there. What was made is looked at as well. */
async function checkOrMake(check: () => Promise<void>, make: () => Promise<void>): Promise<void> {
  await check().catch(async (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await make()
    await check()
  })
}

/** Readable by all. Whoever made it meanwhile made it as they like: it is checked behind this. */
async function makeOpen(path: string): Promise<void> {
  try {
    await mkdir(path)
    await chmod(path, 0o755)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
