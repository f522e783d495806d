/** Writes to a disk that may hang: who made one goes on without it after a while, and beside many that hang none is begun. */
import { poolThreads } from '../runtime/pool-threads.ts'
import { Deadline } from './deadline.ts'

/** Some milliseconds are usual, and a link that waits for it is to be admitted within five seconds. */
const WRITE_MS = 1_000

export class Overdue extends Error {
  constructor() {
    super(`the disk has not answered for ${WRITE_MS} ms`)
  }
}

/** @throws Overdue; what was under way goes on, and what becomes of it is not heard */
export function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = new Deadline(WRITE_MS)
    deadline.signal.addEventListener('abort', () => reject(new Overdue()), { once: true })
    work.finally(() => deadline.clear()).then(resolve, reject)
  })
}

/**
 * One that hangs may keep a thread that all files of the process need: while as many as a quarter of them do, no other is begun.
 * Where any ends meanwhile, the disk is slow or its queue is long, and all are begun as ever.
 */
export class TimelyWrites {
  readonly #most = Math.max(1, Math.floor(poolThreads() / 4))
  #ended = 0
  /** Under way for so long that they should have ended, and in all that time, and since, no other has. */
  readonly #late = new Set<Promise<unknown>>()

  /** Nothing ends any more. */
  get isStill(): boolean {
    return this.#late.size > 0
  }

  /**
   * Begins at once, and waits for its end.
   * @param signal what ends by it is no answer of the disk
   * @throws Overdue, at once, while the disk hangs; and what `begin` throws
   */
  async of<T>(begin: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#late.size >= this.#most) throw new Overdue()
    const before = this.#ended
    const work = begin()
    inTime(work).catch((error) => {
      if (error instanceof Overdue && this.#ended === before) this.#late.add(work)
    })
    try {
      return await work
    } finally {
      if (signal?.aborted === true) this.#late.delete(work)
      else {
        this.#ended += 1
        this.#late.clear()
      }
    }
  }
}
