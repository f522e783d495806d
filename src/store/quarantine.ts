import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { nearestFolder } from '../runtime/nearest-folder.ts'
import { syncDirectory } from './durable-file.ts'

/**
 * Moves a damaged store to `<dir>.corrupt-<n>`, for people to look at, and keeps only the newest few. It is never
 * repaired in place: LevelDB's repair can abort the process, and peers have everything that was in it.
 *
 * @returns where it went
 */
export async function setAside(dir: string, keep: number): Promise<string> {
  const numbers = await numbersBeside(dir)
  const path = pathOf(dir, (numbers.at(-1) ?? 0) + 1)
  await rename(dir, path)
  await syncDirectory(dirname(dir))
  for (const old of numbers.slice(0, Math.max(0, numbers.length + 1 - keep))) await remove(pathOf(dir, old))
  return path
}

/**
 * Where the disk is full, what people may look at gives way to what the node needs.
 *
 * @param full the folder that takes nothing
 * @returns what is gone; undefined where nothing was kept, it cannot be removed, or makes no room: it lies on another disk
 */
export async function dropOldest(dir: string, full = dir): Promise<string | undefined> {
  try {
    const disks = [await nearestFolder(full), dirname(dir)].map(async (folder) => (await stat(folder)).dev)
    const [needed, gained] = await Promise.all(disks)
    if (needed !== gained) return undefined
    const [oldest] = await numbersBeside(dir)
    if (oldest === undefined) return undefined
    await remove(pathOf(dir, oldest))
    return pathOf(dir, oldest)
  } catch {
    // A disk that takes no change at all (read-only): the full disk is what is said.
    return undefined
  }
}

const pathOf = (dir: string, number: number): string => `${dir}.corrupt-${number}`

const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true })

/** Ascending: the oldest first. */
async function numbersBeside(dir: string): Promise<readonly number[]> {
  const prefix = basename(pathOf(dir, 0)).slice(0, -1)
  return (await readdir(dirname(dir)))
    .filter((name) => name.startsWith(prefix) && /^[1-9]\d{0,8}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b)
}
