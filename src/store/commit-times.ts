import type { LogPort } from '../runtime/ports.ts'

/** Nothing is said before, nor is anything refused for it: with the floors of all channels in it, or beside a large release, a commit takes seconds. */
export const SLOW_MS = 5_000
const AGAIN_MS = 60_000

/**
 * How long commits are under way. A disk that syncs late fails nothing, but whatever waits for it is late: a node that is
 * not ready, or a release that is not active, would look as if its peers kept it waiting.
 */
export class CommitTimes {
  readonly #folders: string
  readonly #log: LogPort
  /** When they began, the oldest first. */
  readonly #underWay = new Set<{ readonly sinceMonoMs: number }>()
  #saidMonoMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** @param folders that commits are written to, for people */
  constructor(folders: string, log: LogPort) {
    this.#folders = folders
    this.#log = log
  }

  of(commit: Promise<void>): Promise<void> {
    const one = { sinceMonoMs: performance.now() }
    const end = (): void => {
      this.#underWay.delete(one)
      if (this.#underWay.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    this.#underWay.add(one)
    this.#lookIn(SLOW_MS)
    commit.then(end, end)
    return commit
  }

  /** Of the oldest under way. */
  ageMs(): number {
    const [oldest] = this.#underWay
    return oldest === undefined ? 0 : performance.now() - oldest.sinceMonoMs
  }

  #lookIn(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      // Where the process itself stood still, what the disk has done meanwhile is heard of first.
      setImmediate(() => this.#look())
    }, ms).unref()
  }

  #look(): void {
    if (this.#underWay.size === 0) return
    const ageMs = this.ageMs()
    const dueMs = Math.max(SLOW_MS - ageMs, this.#saidMonoMs + AGAIN_MS - performance.now())
    if (dueMs > 0) return this.#lookIn(dueMs)
    const text = `${this.#folders}: a commit has been under way for ${Math.round(ageMs / 1_000)} s; the disk is slow, and all that must be stored first waits for it`
    this.#log.note({ kind: 'note', level: 'warn', code: 'STORE_SLOW', text })
    this.#saidMonoMs = performance.now()
    this.#lookIn(AGAIN_MS)
  }
}
