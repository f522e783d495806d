import { stat } from 'node:fs/promises'
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
  async start(dirs: readonly string[]): Promise<void> {
    this.#watched = await Promise.all(
      dirs.map(async (dir) => {
        const { dev, ino } = await stat(join(dir, LOCK), { bigint: true }).catch((error: unknown) => {
          throw storeError(error, dir)
        })
        return { dir, lock: join(dir, LOCK), device: dev, inode: ino }
      }),
    )
    // What it finds is told through `onGone`.
    this.#timer = setInterval(() => void this.check().catch(() => undefined), this.#everyMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#watched = []
  }

  /** @throws MeshError STORE_GONE; STORE_FAILED where the folder cannot be looked at */
  async check(): Promise<void> {
    // All at once: each commit that is synced waits for this twice.
    const looks = this.#watched.map(async (watched) => {
      const same = await isSame(watched).catch((error: unknown) => {
        throw storeError(error, watched.dir)
      })
      if (!same) throw this.#lost(watched.dir)
    })
    await Promise.all(looks)
  }

  /** Behind a write: a folder that cannot be looked at just now has taken it all the same. @throws MeshError STORE_GONE */
  async checkGone(): Promise<void> {
    await this.check().catch((error: unknown) => {
      if (error === this.#gone) throw error
    })
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

async function isSame({ lock, device, inode }: Watched): Promise<boolean> {
  try {
    const { dev, ino } = await stat(lock, { bigint: true })
    return dev === device && ino === inode
  } catch (error) {
    const isGone = faultOf(error) === 'missing' || (error as NodeJS.ErrnoException).code === 'ENOTDIR'
    if (isGone) return false
    throw error
  }
}
