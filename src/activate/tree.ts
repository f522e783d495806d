import { constants, type Dirent, type Stats, type StatsFs } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, open, readdir, rename, rmdir, statfs, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { ManifestEntry } from '../model/manifest.ts'
import { isShort } from './errors.ts'
import type { Apart } from './gate.ts'
import { directoryMode, fileMode, type Ownership, own } from './ownership.ts'
import type { ContentStore } from './read-manifest.ts'
import { digestOf, openForReading, writeTreeFile } from './write-file.ts'

/** Trees under construction, or on their way out: removed before the next one. No release id begins like this. */
export const UNFINISHED = '.new-'

const MIB = 1024 * 1024
/** What a store that lies on this disk, too, must have to write at all. A smaller tree is built without a look. */
const SPARE_BYTES = 16 * MIB
/** The same of files and folders: LevelDB has a file for each 2 MiB. */
const SPARE_INODES = 1_024
/** A file or a folder takes whole ones on the file systems below, however few bytes it has. */
const DISK_BLOCK = 4_096
/** So many times that is left where a half built tree stays. */
const ROOMY = 4
/**
 * File systems, by the number that they have on Linux, on which a file takes as many bytes as it has, and whether they can clone
 * one: ext4, tmpfs and XFS. Of others it is not known before: they may compress what is written.
 */
const CLONES: ReadonlyMap<number, boolean> = new Map([
  [0xef53, false],
  [0x01021994, false],
  [0x58465342, true],
])

/** Files and folders looked at before I/O and timers come again: some milliseconds, with paths as long as may be. */
const SLICE = 4_096

const NEVER = new AbortController().signal

export interface TreePlan {
  /** `<channel>/.releases` */
  readonly releases: string
  /** Name of the tree in it. */
  readonly name: string
  /** Name of the tree to clone unchanged files from. */
  readonly last: string | undefined
  /** Paths that are not in the last tree, or not with this content. */
  readonly changed: ReadonlySet<string>
  readonly files: readonly ManifestEntry[]
  readonly ownership: Ownership
  /** The node stops: what failed is left to the next activation, for to remove a hundred thousand files takes long. */
  readonly stop: AbortSignal
}

/**
 * Builds a whole tree under a name of its own, makes it durable, then gives it its name: a tree that has its name
 * is complete. What fails leaves nothing behind, unless the node stops.
 * @returns paths that the last tree was to hold as they are in this one, and did not
 */
export async function buildTree(
  store: ContentStore,
  plan: TreePlan,
  apart: Apart,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { releases, name, last, changed, files, ownership, stop } = plan
  // A new name each time: half a tree that cannot be removed is in nobody's way.
  const root = await mkdtemp(join(releases, `${UNFINISHED}${name}.`))
  try {
    const directories = await directoriesOf(root, files)
    await demandRoom(plan, directories.length)
    for (const directory of directories) {
      signal.throwIfAborted()
      if (directory !== root) await mkdir(directory, { mode: 0o700 })
    }
    const edited: string[] = []
    await apart(files, async (entry) => {
      signal.throwIfAborted()
      const target = {
        entry,
        path: join(root, entry.path),
        last: last === undefined || changed.has(entry.path) ? undefined : join(releases, last, entry.path),
        ownership,
      }
      if (!(await writeTreeFile(store, target, signal))) edited.push(entry.path)
    })
    for (const directory of directories.toReversed()) {
      signal.throwIfAborted()
      await finishDirectory(directory, ownership)
    }
    await rename(root, join(releases, name))
    await syncDirectory(releases)
    return edited
  } catch (error) {
    // Why it failed is what counts; what stays of it goes before the next tree is built. But on a disk that is full the next
    // start could not open its store for it.
    const isLeft = stop.aborted && (await isRoomy(releases))
    if (!isLeft) await removeTree(root, NEVER).catch(() => {})
    throw error
  }
}

/**
 * A tree that does not fit would be written up to the disk's last byte or inode, which others need, and again with each try.
 * @param folders each has a block of its own on most disks
 * @throws ENOSPC
 */
async function demandRoom({ releases, last, changed, files }: TreePlan, folders: number): Promise<void> {
  let [all, fresh] = [folders * DISK_BLOCK, 0]
  for await (const slice of slicesOf(files))
    for (const { path, size } of slice) {
      const onDisk = Math.ceil(size / DISK_BLOCK) * DISK_BLOCK
      all += onDisk
      if (last === undefined || changed.has(path)) fresh += onDisk
    }
  const inodes = files.length + folders
  if (all <= SPARE_BYTES && inodes <= SPARE_INODES) return
  const stat = await statfs(releases)
  const { type, blocks, bavail, bsize } = stat
  const clones = CLONES.get(type)
  // Some file systems have no size, or no number of files, and say 0 of all.
  if (clones === undefined || blocks === 0) return
  const needed = clones ? fresh : all
  const isFull = needed > SPARE_BYTES && bavail * bsize < needed + spareOf(stat)
  const isOutOfInodes =
    stat.files > 0 && inodes > SPARE_INODES && stat.ffree < inodes + Math.min(SPARE_INODES, stat.files / 8)
  if (isFull || isOutOfInodes)
    throw Object.assign(new Error('no space left for the tree'), { code: 'ENOSPC' })
}

/** Where it cannot be asked: no. */
async function isRoomy(releases: string): Promise<boolean> {
  const stat = await statfs(releases).catch(() => undefined)
  return stat !== undefined && (stat.blocks === 0 || stat.bavail * stat.bsize >= ROOMY * spareOf(stat))
}

/** Of a small disk an eighth. */
const spareOf = ({ blocks, bsize }: StatsFs): number => Math.min(SPARE_BYTES, (blocks * bsize) / 8)

/** Root first, every folder after the one that holds it. */
async function directoriesOf(root: string, files: readonly ManifestEntry[]): Promise<readonly string[]> {
  const directories = new Set([root])
  let looked = 0
  for (const { path } of files) {
    const missing: string[] = []
    // What holds a folder that is known is known, too.
    for (let at = dirname(`${root}/${path}`); !directories.has(at); at = dirname(at)) missing.push(at)
    for (const parent of missing.toReversed()) directories.add(parent)
    looked += 1 + missing.length
    if (looked < SLICE) continue
    looked = 0
    await setImmediate()
  }
  return [...directories]
}

/** Between two of them I/O and timers come. */
async function* slicesOf<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < items.length; at += SLICE) {
    if (at > 0) await setImmediate()
    yield items.slice(at, at + SLICE)
  }
}

/** Of a path below this folder, or the folder itself. */
const pathIn = (root: string, path: string): string => path.slice(root.length + 1)

async function finishDirectory(path: string, ownership: Ownership): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    await own(handle, directoryMode(ownership), ownership)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes renames, creations and removals in a folder durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Is the tree exactly these files? Undefined, or one difference, for people: missing, added, of another kind, mode, group
 * or content, or a file that has a second name somewhere.
 * @param apart how files are looked at: the first that differs ends it
 * @throws why it was aborted, or that the host is short of something
 */
export async function differenceOf(
  root: string,
  files: readonly ManifestEntry[],
  ownership: Ownership,
  signal: AbortSignal,
  apart: Apart,
): Promise<string | undefined> {
  signal.throwIfAborted()
  const expected = new Set<string>()
  for await (const slice of slicesOf(files)) for (const { path } of slice) expected.add(path)
  let listing: readonly Dirent[]
  try {
    listing = await readdir(root, { recursive: true, withFileTypes: true })
  } catch (error) {
    return differenceBy(error)
  }
  const directories = new Set<string>()
  for await (const slice of slicesOf(await directoriesOf(root, files)))
    for (const path of slice) directories.add(pathIn(root, path))
  for await (const slice of slicesOf(listing)) {
    for (const found of slice) {
      const path = pathIn(root, join(found.parentPath, found.name))
      if (!(found.isDirectory() ? directories : expected).has(path)) return `${path}: not of this release`
    }
  }
  // One that is no UTF-8 reads as U+FFFD, which a name of the release may hold as well. The root is not listed.
  if (listing.length >= expected.size + directories.size) return 'the tree: a name that is not UTF-8'
  for (const path of directories) {
    signal.throwIfAborted()
    const difference = await directoryDifference(join(root, path), ownership)
    if (difference !== undefined) return `${path === '' ? 'the tree' : path}: ${difference}`
  }
  let difference: string | undefined
  const look = async (entry: ManifestEntry): Promise<void> => {
    signal.throwIfAborted()
    const found = await fileDifference(join(root, entry.path), entry, ownership, signal)
    if (found === undefined) return
    difference = `${entry.path}: ${found}`
    throw new Error(difference)
  }
  await apart(files, look).catch((error: unknown) => {
    if (difference === undefined) throw error
  })
  return difference
}

/**
 * What lies in a tree, whatever its release: of one that is gone nothing, and no more than a release may have, as somebody else
 * may have put files there.
 * @throws that the host is short of something
 */
export async function pathsIn(root: string, maxFiles: number): Promise<readonly string[]> {
  const paths: string[] = []
  const listing = await readdir(root, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isShort(error)) throw error
    return []
  })
  for await (const slice of slicesOf(listing))
    for (const found of slice)
      if (!found.isDirectory() && paths.length < maxFiles)
        paths.push(pathIn(root, join(found.parentPath, found.name)))
  return paths
}

async function directoryDifference(path: string, ownership: Ownership): Promise<string | undefined> {
  try {
    return ownDifference(await lstat(path), directoryMode(ownership), ownership)
  } catch (error) {
    return differenceBy(error)
  }
}

/** @throws what says nothing of the files */
function differenceBy(error: unknown): string {
  if (isShort(error)) throw error
  return error instanceof Error ? error.message : String(error)
}

/** Trees that whoever may not read one built now may not read either. All files of one are as open as its folder. */
export async function noMoreOpen(
  releases: string,
  trees: readonly string[],
  ownership: Ownership,
): Promise<readonly string[]> {
  const mode = directoryMode(ownership)
  const isMoreOpen = async (tree: string): Promise<boolean> => {
    const stat = await lstat(join(releases, tree))
    const isOfOthers = ownership.gid !== undefined && stat.gid !== ownership.gid && (mode & 0o004) === 0
    return isOfOthers || (stat.mode & 0o777 & ~mode) !== 0
  }
  // What cannot be told now is looked at with the next one.
  const open = await Promise.all(trees.map((tree) => isMoreOpen(tree).catch(() => false)))
  return trees.filter((_, at) => open[at] !== true)
}

function ownDifference(stat: Stats, mode: number, { gid }: Ownership): string | undefined {
  if ((stat.mode & 0o7777) !== mode) return 'other mode'
  return gid === undefined || stat.gid === gid ? undefined : 'other group'
}

async function fileDifference(
  path: string,
  entry: ManifestEntry,
  ownership: Ownership,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const handle = await openForReading(path)
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) return 'no regular file'
      if (stat.nlink !== 1) return 'has a second name'
      if (stat.size !== entry.size) return `${stat.size} bytes instead of ${entry.size}`
      const difference = ownDifference(stat, fileMode(ownership, entry.mode), ownership)
      if (difference !== undefined) return difference
      return (await digestOf(handle, stat.size, signal)) === entry.digest ? undefined : 'other content'
    } finally {
      await handle.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    return differenceBy(error)
  }
}

/**
 * Ours to remove even where somebody took our own right to write in it away.
 * @param stop leaves what is left
 */
export async function removeTree(root: string, stop: AbortSignal): Promise<void> {
  const folder = Buffer.from(root)
  try {
    await removeAll(folder, stop)
  } catch {
    stop.throwIfAborted()
    await openAll(folder)
    await chmod(dirname(root), 0o755)
    await removeAll(folder, stop)
  }
}

/** Folders alone: theirs is the right to remove what is in them. */
async function openAll(folder: Buffer): Promise<void> {
  await chmod(folder, 0o700)
  for (const found of await entriesOf(folder)) if (found.isDirectory()) await openAll(pathOf(folder, found))
}

/** One after another: `rm` asks for all of a folder at once, and whatever else needs a thread stands in line behind that. */
async function removeAll(folder: Buffer, stop: AbortSignal): Promise<void> {
  for (const found of await entriesOf(folder)) {
    stop.throwIfAborted()
    const path = pathOf(folder, found)
    await (found.isDirectory() ? removeAll(path, stop) : unlink(path))
  }
  await rmdir(folder)
}

/** By their names as they are on disk: an application may give any, and one that is no UTF-8 is another one as text. */
const entriesOf = (folder: Buffer): Promise<Dirent<Buffer>[]> =>
  readdir(folder, { withFileTypes: true, encoding: 'buffer' })

const pathOf = (folder: Buffer, { name }: Dirent<Buffer>): Buffer =>
  Buffer.concat([folder, Buffer.from('/'), name])
