import { type BigIntStats, statSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '../errors.ts'
import type { LogPort } from '../runtime/ports.ts'
import { faultOf, storeError } from './faults.ts'

interface Watched {
  readonly dir: string
  readonly lock: string
  readonly device: bigint
  readonly inode: bigint
  readonly isLocal: boolean
  /** A look at it is under way that should have ended; no other is begun. */
  isSilent: boolean
}

/** LevelDB makes it with the folder, never anew, and holds it open: it is the same file as long as the folder is. */
const LOCK = 'LOCK'

/**
 * File systems, by the number that they have on Linux, that ask no other machine and no other process: ext2 to ext4, XFS, Btrfs,
 * tmpfs, overlayfs, F2FS, ZFS, bcachefs. A look at one that is not here, such as NFS, may never end.
 */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1, 0xca451a4e,
])

/**
 * Sees that a folder in use was removed, moved or replaced. Files that are open go on taking bytes then, which nobody
 * will ever find again, and the lock that keeps a second node out is gone with the folder.
 *
 * A look at a file system whose server is silent does not end, and made in place it would stop the whole process. One that
 * has not ended when the next is due is waited for no longer: the folder is not known to be gone.
 */
export class FolderWatch {
  readonly #everyMs: number
  readonly #onGone: (gone: MeshError) => void
  readonly #log: LogPort
  #watched: readonly Watched[] = []
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #gone: MeshError | undefined

  /** @param onGone told once */
  constructor(everyMs: number, onGone: (gone: MeshError) => void, log: LogPort) {
    this.#everyMs = everyMs
    this.#onGone = onGone
    this.#log = log
  }

  /** @param dirs folders of LevelDB, each open by this process. @throws MeshError STORE_* */
  async start(dirs: readonly string[]): Promise<void> {
    this.#watched = await Promise.all(dirs.map(watchedAt))
    this.#timer = setInterval(() => void this.#look(), this.#everyMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#watched = []
  }

  /**
   * Each synced commit waits for this twice, and beside much else each trip to the thread pool is late. On a disk of this
   * host it is no work for it: names that were looked up a moment ago, of a file that is open, are in memory.
   * @throws MeshError STORE_GONE; STORE_FAILED where the folder cannot be looked at
   */
  async check(): Promise<void> {
    for (const watched of this.#watched)
      if (watched.isLocal && !isSameHere(watched)) throw this.#lost(watched.dir)
    await Promise.all(this.#watched.map((watched) => (watched.isLocal ? undefined : this.#ask(watched))))
  }

  /** Behind a write: a folder that cannot be looked at just now has taken it all the same. @throws MeshError STORE_GONE */
  async checkGone(): Promise<void> {
    try {
      await this.check()
    } catch (error) {
      if (error === this.#gone) throw error
    }
  }

  /** What it finds is told through `onGone`; one that cannot be looked at just now is looked at again. */
  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    await Promise.allSettled(this.#watched.map((watched) => this.#ask(watched)))
    this.#isLooking = false
  }

  /** Also where nobody waits any more, what is found is told. @throws MeshError STORE_GONE, STORE_* */
  #ask(watched: Watched): Promise<void> {
    if (watched.isSilent) return Promise.resolve()
    return new Promise((resolve, reject) => {
      let isAnswered = false
      const late = () => {
        if (isAnswered) return
        this.#tellSilent(watched)
        resolve()
      }
      // Where the process itself stood still, the answer is heard first.
      const timer = setTimeout(() => setImmediate(late), this.#everyMs).unref()
      const answered = () => {
        isAnswered = true
        watched.isSilent = false
        clearTimeout(timer)
      }
      isSameThere(watched)
        .finally(answered)
        .then((isSame) => {
          if (isSame || !this.#watched.includes(watched)) resolve()
          else reject(this.#lost(watched.dir))
        })
        .catch(reject)
    })
  }

  #tellSilent(watched: Watched): void {
    if (watched.isSilent) return
    watched.isSilent = true
    const text = `${watched.dir}: its file system does not say whether the folder is still there; what is to be written there waits for it`
    this.#log.note({ kind: 'note', level: 'warn', code: 'STORE_SLOW', text })
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

/** @throws MeshError STORE_* */
async function watchedAt(dir: string): Promise<Watched> {
  const lock = join(dir, LOCK)
  try {
    // Some file systems do not say what they are.
    const isLocal = statfs(dir).then(
      ({ type }) => LOCAL.has(type),
      () => false,
    )
    const { dev, ino } = await stat(lock, { bigint: true })
    return { dir, lock, device: dev, inode: ino, isLocal: await isLocal, isSilent: false }
  } catch (error) {
    throw storeError(error, dir)
  }
}

/** Stops all else until it is known. @throws MeshError STORE_* where that cannot be seen */
function isSameHere(watched: Watched): boolean {
  try {
    return isSame(watched, statSync(watched.lock, { bigint: true }))
  } catch (error) {
    return isSeen(error, watched.dir)
  }
}

/** @throws MeshError STORE_* where that cannot be seen */
async function isSameThere(watched: Watched): Promise<boolean> {
  try {
    return isSame(watched, await stat(watched.lock, { bigint: true }))
  } catch (error) {
    return isSeen(error, watched.dir)
  }
}

const isSame = ({ device, inode }: Watched, { dev, ino }: BigIntStats): boolean =>
  dev === device && ino === inode

/** False: nothing is there. @throws MeshError STORE_* where that cannot be seen */
function isSeen(error: unknown, dir: string): false {
  const isGone = faultOf(error) === 'missing' || (error as NodeJS.ErrnoException).code === 'ENOTDIR'
  if (isGone) return false
  throw storeError(error, dir)
}
