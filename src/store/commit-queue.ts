import { bytesOf, type Write } from '../runtime/ports.ts'

interface Commit {
  readonly writes: readonly Write[]
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Never rejects: whoever wanted it done is told. */
interface Work {
  readonly work: () => Promise<void>
}

/**
 * One write at a time, in the order of calls. Commits that come while the disk syncs wait and go out together,
 * so that a hundred of them cost a few syncs (group commit). A group is one batch: all of it or nothing. It ends before
 * other work that waits: else that would wait for as long as commits come.
 *
 * How much waits is bounded before it comes here: `commit-bytes.ts`.
 */
export class CommitQueue {
  readonly #flush: (writes: readonly Write[], sync: boolean) => Promise<void>
  readonly #maxBatchBytes: number
  readonly #waiting: (Commit | Work)[] = []
  #isRunning = false

  constructor(flush: (writes: readonly Write[], sync: boolean) => Promise<void>, maxBatchBytes: number) {
    this.#flush = flush
    this.#maxBatchBytes = maxBatchBytes
  }

  commit(writes: readonly Write[], sync: boolean): Promise<void> {
    return new Promise((resolve, reject) => this.#add({ writes, sync, resolve, reject }))
  }

  /** Alone: no commit runs beside `work`. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) =>
      this.#add({ work: () => Promise.resolve().then(work).then(resolve, reject) }),
    )
  }

  #add(one: Commit | Work): void {
    this.#waiting.push(one)
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // What comes in the same turn goes out with the first.
    await Promise.resolve()
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if ('work' in next) {
        this.#waiting.shift()
        await next.work()
      } else await this.#flushGroup()
    }
    this.#isRunning = false
  }

  async #flushGroup(): Promise<void> {
    const group = this.#nextGroup()
    this.#waiting.splice(0, group.length)
    try {
      await this.#flush(
        group.flatMap(({ writes }) => writes),
        group.some(({ sync }) => sync),
      )
      for (const { resolve } of group) resolve()
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  #nextGroup(): readonly Commit[] {
    let bytes = 0
    const group: Commit[] = []
    for (const next of this.#waiting) {
      if ('work' in next) break
      bytes += bytesOf(next.writes)
      if (group.length > 0 && bytes > this.#maxBatchBytes) break
      group.push(next)
    }
    return group
  }
}
