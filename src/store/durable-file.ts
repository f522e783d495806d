import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'

/** Makes renames, creations and removals in a folder durable. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Behind the name of a file: where the bytes lie that are to take its place. */
export const ASIDE = '.new'

/** Bytes written aside: the file is as before until they are shown, and a crash leaves the old ones or the new, never a part. */
export interface AsideFile {
  /** The caller syncs the folder (once for many files). */
  show(): Promise<void>
  drop(): Promise<void>
}

/** Written beside `path` and synced. */
export async function writeAside(path: string, bytes: Uint8Array): Promise<AsideFile> {
  const aside = `${path}${ASIDE}`
  const drop = (): Promise<void> => rm(aside, { force: true })
  try {
    const handle = await create(aside).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      // What a crash left of an earlier try goes.
      await drop()
      return create(aside)
    })
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    await drop()
    throw error
  }
  return { show: () => rename(aside, path), drop }
}

/** Exclusively, so that no link is followed. */
const create = (path: string): Promise<FileHandle> =>
  open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
