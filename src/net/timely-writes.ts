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
 * One that hangs may keep a thread that all files of the process need: while as many as a quarter of them are under way, and none
 * has ended for long, no other is begun. Where any ends the disk is slow or its queue is long, and all are begun as ever.
 */
export class TimelyWrites {
  readonly #most = Math.max(1, Math.floor(poolThreads() / 4))
  readonly #underWay = new Set<Promise<unknown>>()
  /** Since the last one ended, or the first of them began. */
  #deadline: Deadline | undefined
  #isStill = false

  /** Nothing ends any more. */
  get isStill(): boolean {
    return this.#isStill
  }

  /**
   * Begins at once, and waits for its end.
   * @param signal what ends by it is no answer of the disk
   * @throws Overdue, at once, while the disk hangs; and what `begin` throws
   */
  async of<T>(begin: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#isStill && this.#underWay.size >= this.#most) throw new Overdue()
    const work = begin()
    this.#underWay.add(work)
    if (this.#underWay.size === 1) this.#wait()
    try {
      return await work
    } finally {
      this.#underWay.delete(work)
      if (signal?.aborted !== true || this.#underWay.size === 0) this.#wait()
    }
  }

  /** For the next one that ends. */
  #wait(): void {
    this.#deadline?.clear()
    this.#deadline = undefined
    this.#isStill = false
    if (this.#underWay.size === 0) return
    this.#deadline = new Deadline(WRITE_MS)
    const still = () => {
      this.#isStill = true
    }
    this.#deadline.signal.addEventListener('abort', still, { once: true })
  }
}
