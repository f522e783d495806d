import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * A folder with those it lies in, each made where it is missing. Node's own `recursive` asks again without end where the
 * file system says ENOENT below a folder that is there (`/proc`).
 * @returns the topmost that was made, if any
 * @throws the file system's error
 */
export async function makeFolder(path: string, mode: number): Promise<string | undefined> {
  try {
    return await makeOne(path, mode)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    const topmost = await makeFolder(parent, mode)
    const own = await makeOne(path, mode)
    return topmost ?? own
  }
}

/** @returns the folder, or undefined where it was there */
async function makeOne(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode })
    return path
  } catch (error) {
    // Whatever the reason: a disk that is read-only says that first.
    const isFolder = await stat(path).then(
      (there) => there.isDirectory(),
      () => false,
    )
    if (isFolder) return undefined
    throw error
  }
}
