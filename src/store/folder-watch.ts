import { statSync } from 'node:fs'
import { join } from 'node:path'
import { MeshError } from '../errors.ts'
import { faultOf, storeError } from './faults.ts'

interface Watched {
  readonly dir: string
  readonly lock: string
  readonly device: bigint
  readonly inode: bigint
}

/** LevelDB makes it with the folder, never anew, and holds it open: it is the same file as long as the folder is. */
const LOCK = 'LOCK'

/**
 * Sees that a folder in use was removed, moved or replaced. Files that are open go on taking bytes then, which nobody
 * will ever find again, and the lock that keeps a second node out is gone with the folder.
 */
export class FolderWatch {
  readonly #everyMs: number
  readonly #onGone: (gone: MeshError) => void
  #watched: readonly Watched[] = []
  #timer: NodeJS.Timeout | undefined
  #gone: MeshError | undefined

  /** @param onGone told once */
  constructor(everyMs: number, onGone: (gone: MeshError) => void) {
    this.#everyMs = everyMs
    this.#onGone = onGone
  }

  /** @param dirs folders of LevelDB, each open by this process. @throws MeshError STORE_* */
  start(dirs: readonly string[]): void {
    this.#watched = dirs.map((dir) => {
      const lock = join(dir, LOCK)
      try {
        const { dev, ino } = statSync(lock, { bigint: true })
        return { dir, lock, device: dev, inode: ino }
      } catch (error) {
        throw storeError(error, dir)
      }
    })
    this.#timer = setInterval(() => this.#look(), this.#everyMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#watched = []
  }

  /**
   * Each synced commit waits for this twice, and beside much else each trip to the thread pool is late. It is no work for
   * it: names that were looked up a moment ago, of a file that is open, are in memory.
   * @throws MeshError STORE_GONE; STORE_FAILED where the folder cannot be looked at
   */
  check(): void {
    for (const watched of this.#watched) if (!isSame(watched)) throw this.#lost(watched.dir)
  }

  /** Behind a write: a folder that cannot be looked at just now has taken it all the same. @throws MeshError STORE_GONE */
  checkGone(): void {
    try {
      this.check()
    } catch (error) {
      if (error === this.#gone) throw error
    }
  }

  /** What it finds is told through `onGone`. */
  #look(): void {
    try {
      this.check()
    } catch {
      // a folder that is gone was told, and one that cannot be looked at just now is looked at again
    }
  }

  #lost(dir: string): MeshError {
    if (this.#gone === undefined) {
      const advice = 'put it back, or leave it for a new one, and start again'
      const text = `${dir} was removed or replaced while the node ran on it; it ends, for nothing can be kept: ${advice}`
      this.#gone = new MeshError('STORE_GONE', text, { dir })
      this.#onGone(this.#gone)
    }
    return this.#gone
  }
}

/** @throws MeshError STORE_* where that cannot be seen */
function isSame({ dir, lock, device, inode }: Watched): boolean {
  try {
    const { dev, ino } = statSync(lock, { bigint: true })
    return dev === device && ino === inode
  } catch (error) {
    const isGone = faultOf(error) === 'missing' || (error as NodeJS.ErrnoException).code === 'ENOTDIR'
    if (isGone) return false
    throw storeError(error, dir)
  }
}
