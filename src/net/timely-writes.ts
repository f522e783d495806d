/** Writes to a disk that may hang: whoever made one goes on without it, and few are under way. */
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
    const deadline = deadlineOf(() => reject(new Overdue()))
    work.finally(() => deadline.clear()).then(resolve, reject)
  })
}

/**
 * One that hangs keeps a thread that all files of the process need, hence a quarter of them at most. While one does, no other
 * is taken.
 */
export class TimelyWrites {
  readonly #most = Math.max(1, Math.floor(poolThreads() / 4))
  readonly #waiting: (() => void)[] = []
  #underWay = 0
  #late = 0

  get areLate(): boolean {
    return this.#late > 0
  }

  /**
   * In the order of calls.
   * @param isPatient its end is waited for, however late, where it was taken at all
   * @throws Overdue, at once while the disk hangs; and what `begin` throws
   */
  of<T>(begin: () => Promise<T>, isPatient = false): Promise<T> {
    if (this.areLate) return Promise.reject(new Overdue())
    return new Promise((resolve, reject) => {
      let hasBegun = false
      let isLate = false
      const overdue = () => {
        isLate = hasBegun
        if (isLate) this.#late += 1
        else this.#waiting.splice(this.#waiting.indexOf(start), 1)
        if (!isPatient) reject(new Overdue())
      }
      let deadline = isPatient ? undefined : deadlineOf(overdue)
      const start = () => {
        hasBegun = true
        deadline ??= deadlineOf(overdue)
        this.#underWay += 1
        const ended = () => {
          deadline?.clear()
          this.#underWay -= 1
          if (isLate) this.#late -= 1
          this.#waiting.shift()?.()
        }
        begin().finally(ended).then(resolve, reject)
      }
      if (this.#underWay < this.#most) start()
      else this.#waiting.push(start)
    })
  }
}

function deadlineOf(overdue: () => void): Deadline {
  const deadline = new Deadline(WRITE_MS)
  deadline.signal.addEventListener('abort', overdue, { once: true })
  return deadline
}
