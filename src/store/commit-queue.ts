import type { Write } from '../runtime/ports.ts'

interface Waiting {
  readonly writes: readonly Write[]
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What a record that is no block counts in a batch, also one that is taken away. */
export const RECORD_BYTES = 512

const bytesOf = (writes: readonly Write[]): number =>
  writes.reduce((sum, write) => sum + (write.kind === 'block' ? write.bytes.length : RECORD_BYTES), 0)

/**
 * One write at a time, in the order of calls. Commits that come while the disk syncs wait and go out together,
 * so that a hundred of them cost a few syncs (group commit). A group is one batch: all of it or nothing.
 *
 * Who commits bounds the queue: the core has a bounded number of writes under way.
 */
export class CommitQueue {
  readonly #flush: (writes: readonly Write[], sync: boolean) => Promise<void>
  readonly #maxBatchBytes: number
  #waiting: Waiting[] = []
  #tail: Promise<unknown> = Promise.resolve()

  constructor(flush: (writes: readonly Write[], sync: boolean) => Promise<void>, maxBatchBytes: number) {
    this.#flush = flush
    this.#maxBatchBytes = maxBatchBytes
  }

  commit(writes: readonly Write[], sync: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, sync, resolve, reject })
      if (this.#waiting.length === 1) void this.run(() => this.#flushWaiting())
    })
  }

  /** Alone: no commit runs beside `work`. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(() => undefined)
    return done
  }

  async #flushWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup()
      try {
        await this.#flush(
          group.flatMap(({ writes }) => writes),
          group.some(({ sync }) => sync),
        )
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
      // Taken off only now: while it is here, a new commit waits for this loop instead of starting one.
      this.#waiting.splice(0, group.length)
    }
  }

  #nextGroup(): readonly Waiting[] {
    let bytes = 0
    let count = 0
    for (const { writes } of this.#waiting) {
      bytes += bytesOf(writes)
      if (count > 0 && bytes > this.#maxBatchBytes) break
      count++
    }
    return this.#waiting.slice(0, count)
  }
}
