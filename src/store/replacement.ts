/**
 * The new store that takes a damaged one's place. It is made beside it, and the damaged one is moved away only when it
 * is there: a kill at any moment leaves one of the two in its place, or both to begin anew with.
 */
import { access, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Limits } from '../limits.ts'
import type { Database } from './database.ts'
import { syncDirectory } from './durable-file.ts'
import { salvage } from './salvage.ts'

const besideOf = (dir: string): string => `${dir}.new`

/**
 * A store with what is sound in the damaged one.
 *
 * @returns what kept that from being read to its end; undefined where nothing did
 * @throws what LevelDB throws of the new one
 */
export async function prepareReplacement(
  dir: string,
  databaseAt: (dir: string) => Database,
  limits: Limits,
): Promise<string | undefined> {
  const path = besideOf(dir)
  await rm(path, { recursive: true, force: true })
  const fresh = databaseAt(path)
  try {
    await fresh.open()
    return await salvage(dir, fresh, limits)
  } finally {
    await fresh.close()
  }
}

/** Where the old one has gone, also in a life before: a kill may come between. */
export async function takePlace(dir: string): Promise<void> {
  if ((await exists(dir)) || !(await exists(besideOf(dir)))) return
  await rename(besideOf(dir), dir)
  await syncDirectory(dirname(dir))
}

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
