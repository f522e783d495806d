import { constants } from 'node:fs'
import { lstat, mkdir, open, readlink, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { makeFolder } from '../runtime/make-folder.ts'
import { nearestFolder } from '../runtime/nearest-folder.ts'
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
  const folders = way(path)
  for (const at of folders) await checkComponent(at, at !== folders.at(-1))
}

/** The folders from the root down to `path`, which is the last. */
function way(path: string): readonly string[] {
  const folders = [resolve(path)]
  for (let at = folders[0] as string; at !== dirname(at); at = dirname(at)) folders.unshift(dirname(at))
  return folders
}

/** @param above a folder above ours: a sticky one of root's (`/tmp`) lets nobody rename what is ours. */
async function checkComponent(path: string, above: boolean): Promise<void> {
  const stat = await lstat(path)
  if (!stat.isDirectory()) throw unsafe(path, stat.isSymbolicLink() ? 'is a link' : 'is no directory')
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) throw unsafe(path, `belongs to user ${stat.uid}`)
  if (above && stat.uid === 0 && (stat.mode & STICKY) !== 0) return
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) throw unsafe(path, 'may be written by everyone')
  // A user's own group of one is how many systems make home folders group-writable.
  const ownGroup = stat.gid === 0 || stat.gid === process.getegid?.()
  if ((stat.mode & WRITABLE_BY_GROUP) !== 0 && !ownGroup)
    throw unsafe(path, `may be written by group ${stat.gid}`)
}

const unsafe = (path: string, reason: string): Error =>
  activateError('ACTIVATE_UNSAFE_DIR', `${path}: ${reason}; materialize.dir must be ours alone to change`)

/**
 * The real path of a folder that is there, where nobody else can lead its name elsewhere: applications go by the name. A link
 * on the way is root's or ours, and so is the folder that it lies in. Each part is followed as the kernel does.
 *
 * @throws MeshError ACTIVATE_UNSAFE_DIR, and the file system's error, as of links that lead round in a circle
 */
export async function ownPath(path: string): Promise<string> {
  await realpath(path)
  const left = partsOf(resolve(path))
  let at: string = sep
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    const next = join(at, part)
    const stat = await lstat(next)
    if (stat.isSymbolicLink()) {
      if (stat.uid !== 0 && stat.uid !== process.geteuid?.())
        throw unsafe(next, `is a link of user ${stat.uid}`)
      await checkAbove(at)
      const target = await readlink(next)
      if (isAbsolute(target)) at = sep
      left.unshift(...partsOf(target))
    } else at = next
  }
  return at
}

/** `..` stays: what it leaves may be a link. */
const partsOf = (path: string): string[] => path.split(sep).filter((part) => part !== '' && part !== '.')

/** That `path` is a folder which only we or root can change, or may be made one. @throws MeshError ACTIVATE_UNSAFE_DIR */
export async function checkPlace(path: string): Promise<void> {
  const there = await nearestFolder(path)
  const real = await ownPath(there)
  await (there === path ? checkDirectory(real) : checkAbove(real))
}

/** Whoever owns what lies in this folder is the only one that can take it out. @throws MeshError ACTIVATE_UNSAFE_DIR */
async function checkAbove(path: string): Promise<void> {
  for (const at of way(path)) await checkComponent(at, true)
}

/**
 * Makes `dir` and what it lies in where they are missing. Applications of other users read below: the mode must not
 * depend on the process's umask. What was there before is its owner's to open. Nothing is made where somebody else could put
 * another folder in its place, to be opened.
 * @param closed stays as the umask has it
 * @throws MeshError ACTIVATE_UNSAFE_DIR
 */
export async function makeReadable(dir: string, closed?: string): Promise<void> {
  const path = resolve(dir)
  const there = await nearestFolder(path)
  const isFolder = (await lstat(await realpath(there))).isDirectory()
  if (there !== path && isFolder) await checkPlace(path)
  const first = await makeFolder(path, 0o755)
  if (first === undefined) return
  for (let at = path; at.length >= first.length; at = dirname(at)) if (at !== closed) await openToAll(at)
}

/** A link in its place is refused. */
async function openToAll(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    await handle.chmod(0o755)
  } finally {
    await handle.close()
  }
}

/** Makes `dir` where it is missing and gives its real path, checked. @throws MeshError ACTIVATE_UNSAFE_DIR */
export async function openDirectory(dir: string): Promise<string> {
  await makeReadable(dir)
  const real = await ownPath(dir)
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
    await openToAll(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
