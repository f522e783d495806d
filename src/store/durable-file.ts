import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'

/** Makes renames, creations and removals in a folder durable. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Written aside, synced, renamed: a crash leaves the old content or the new, never a part. The caller syncs the
 * folder (once for many files).
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}.new`
  // What a crash left of an earlier try goes; then exclusive creation, so that no link is followed.
  await rm(aside, { force: true })
  try {
    const handle = await open(
      aside,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    )
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
}
