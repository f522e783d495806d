import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncDirectory } from './durable-file.ts'

/**
 * Moves a damaged store to `<dir>.corrupt-<n>`, for people to look at, and keeps only the newest few. It is never
 * repaired in place: LevelDB's repair can abort the process, and peers have everything that was in it.
 *
 * @returns where it went
 */
export async function setAside(dir: string, keep: number): Promise<string> {
  const parent = dirname(dir)
  const prefix = `${basename(dir)}.corrupt-`
  const numbers = (await readdir(parent))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b)
  const path = join(parent, `${prefix}${(numbers.at(-1) ?? 0) + 1}`)
  await rename(dir, path)
  await syncDirectory(parent)
  for (const old of numbers.slice(0, Math.max(0, numbers.length + 1 - keep)))
    await rm(join(parent, `${prefix}${old}`), { recursive: true, force: true })
  return path
}
