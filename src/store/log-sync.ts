import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Every log of LevelDB on disk, as far as it is written. When its buffer is full LevelDB goes on in a new log and leaves
 * the old one to the system, unsynced, until a table of its records is there; a synced write syncs the new log alone.
 * Source: `MakeRoomForWrite` in db_impl.cc of LevelDB.
 */
export async function syncLogs(dir: string): Promise<void> {
  const logs = (await readdir(dir)).filter((name) => /^\d+\.log$/.test(name))
  await Promise.all(logs.map((name) => syncFile(join(dir, name))))
}

async function syncFile(path: string): Promise<void> {
  try {
    const file = await open(path)
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    // its records are in a table, which LevelDB syncs before it removes their log
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
