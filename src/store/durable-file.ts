import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'

/** Makes renames, creations and removals in a folder durable. */
export const syncDirectory = (dir: string): Promise<void> => durablyIn(dir, async () => {})

/**
 * Makes what `work` renames, creates or removes in a folder durable. The folder is opened meanwhile, and closed when nobody
 * waits any more: each is a trip to the thread pool, and on a busy host every one is late.
 */
export async function durablyIn(dir: string, work: () => Promise<void>): Promise<void> {
  const [worked, opened] = await Promise.allSettled([
    work(),
    open(dir, constants.O_RDONLY | constants.O_DIRECTORY),
  ])
  try {
    if (worked.status === 'rejected') throw worked.reason
    if (opened.status === 'rejected') throw opened.reason
    await opened.value.sync()
  } finally {
    // it says nothing of what is in the folder
    if (opened.status === 'fulfilled') void opened.value.close().catch(() => undefined)
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

/** Written beside `path` and on disk; it is closed while the caller goes on. */
export async function writeAside(path: string, bytes: Uint8Array): Promise<AsideFile> {
  const aside = `${path}${ASIDE}`
  const remove = (): Promise<void> => rm(aside, { force: true })
  let closed: Promise<void>
  try {
    const handle = await create(aside).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      // What a crash left of an earlier try goes.
      await remove()
      return create(aside)
    })
    try {
      await handle.writeFile(bytes)
      if (!WRITES_THROUGH) await handle.sync()
    } finally {
      closed = handle.close()
      // told to whoever shows the file
      closed.catch(() => undefined)
    }
  } catch (error) {
    await remove()
    throw error
  }
  return {
    async show() {
      await Promise.all([rename(aside, path), closed])
    },
    drop: remove,
  }
}

/**
 * On Linux a write to a file opened so returns once it is on disk (open(2)), its size, too: one trip to the thread pool instead of
 * two. Elsewhere it may stop at the disk's own cache, which a sync does not.
 */
const WRITES_THROUGH = process.platform === 'linux'

/** Exclusively, so that no link is followed. */
const create = (path: string): Promise<FileHandle> => {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  return open(path, WRITES_THROUGH ? flags | constants.O_DSYNC : flags, 0o600)
}
