/** The files that a release is to hold: a folder with all below it, or single files by their own names. */
import type { Dirent, Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { checkPath, comparePaths, PathTree } from '../codec/path.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { shown } from '../model/names.ts'
import { pathFailure } from './path-failure.ts'

export interface SourceFile {
  /** In the release, with `/` between segments. */
  readonly path: string
  /** On this machine. */
  readonly file: string
}

/** A byte order mark is a part of the name: without it that is another one, or none at all. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Ascending by path. Only regular files: a link or a device would be something else on every node.
 * @throws MeshError INPUT_PATH (not there, unreadable), STORE_FAILED (its disk), CONTENT_PATH, CONTENT_EMPTY, LIMIT_CONTENT, USAGE
 */
export async function findSources(paths: readonly string[], limits: Limits): Promise<readonly SourceFile[]> {
  const found: SourceFile[] = []
  for (const path of paths) {
    const file = resolve(path)
    const stats = await statOf(file, path)
    if (!stats.isDirectory()) {
      requireFile(stats, path)
      found.push({ path: basename(file), file })
    } else if (paths.length > 1)
      throw new MeshError('USAGE', `${path} is a folder; give one folder, or files only`, { path })
    else await walk(file, '', found, limits)
  }
  if (found.length === 0)
    throw new MeshError('CONTENT_EMPTY', `${paths.join(' ')} holds no file; a release has at least one`, {
      path: paths.join(' '),
    })
  found.sort((a, b) => comparePaths(a.path, b.path))
  const tree = new PathTree(limits)
  for (const { path } of found) tree.add(path)
  return found
}

async function walk(folder: string, below: string, found: SourceFile[], limits: Limits): Promise<void> {
  for (const entry of await entriesOf(folder)) {
    const name = nameOf(entry.name, folder)
    const path = below === '' ? name : `${below}/${name}`
    const file = join(folder, name)
    // Bounds the recursion, too: a path that long is refused anyway.
    if (path.length > limits.maxPathBytes)
      throw new MeshError('CONTENT_PATH', `${file}: longer than ${limits.maxPathBytes} bytes in the release`)
    // Before all below it is gone through.
    checkPath(path, limits)
    if (entry.isDirectory()) await walk(file, path, found, limits)
    else {
      requireFile(entry, file)
      found.push({ path, file })
      if (found.length > limits.maxFiles)
        throw new MeshError(
          'LIMIT_CONTENT',
          `more than ${limits.maxFiles} files; publish them in several channels`,
        )
    }
  }
}

async function entriesOf(folder: string): Promise<readonly Dirent<Buffer>[]> {
  try {
    return await readdir(folder, { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    throw unreadable(folder, error)
  }
}

function nameOf(raw: Buffer, folder: string): string {
  try {
    return UTF8.decode(raw)
  } catch {
    throw new MeshError(
      'CONTENT_PATH',
      `${folder}: a name in it is not valid UTF-8 (${shown(raw.toString('latin1'))}); rename it`,
    )
  }
}

async function statOf(file: string, path: string): Promise<Stats> {
  try {
    return await lstat(file)
  } catch (error) {
    throw unreadable(path, error)
  }
}

function requireFile(entry: Stats | Dirent<Buffer>, path: string): void {
  if (entry.isFile()) return
  const what = entry.isSymbolicLink() ? 'a symbolic link' : 'no regular file'
  throw new MeshError('CONTENT_PATH', `${path} is ${what}; a release holds regular files only`, { path })
}

export const unreadable = (path: string, error: unknown): MeshError =>
  pathFailure(`cannot read ${path}`, path, error)
