/** The store as a fetch knows it: which blocks it has yet to write, how fast it does, and when it takes none. */
import type { Digest } from '../../model/ids.ts'
import { BulkPace } from './bulk-pace.ts'

/** After it refused a write. */
const RETRY_MS = 5_000

export class Disk {
  /** How fast blocks go to it, and large releases are asked for. */
  readonly pace = new BulkPace()
  /** It takes nothing; the store says when it does again. */
  isReadOnly = false
  readonly #writing = new Map<Digest, number>()
  #bytes = 0
  #pausedUntilMonoMs = 0

  /** Blocks being written, and their bytes: they count as under way. */
  get size(): number {
    return this.#writing.size
  }

  get bytes(): number {
    return this.#bytes
  }

  isWriting(digest: Digest): boolean {
    return this.#writing.has(digest)
  }

  /** One that it is not writing yet. */
  takes(digest: Digest, bytes: number, nowMonoMs: number): void {
    if (this.#writing.size === 0) this.pace.began(nowMonoMs)
    this.#writing.set(digest, bytes)
    this.#bytes += bytes
  }

  /** A block is durable, whoever gave it. */
  wrote(digest: Digest, nowMonoMs: number): void {
    if (this.#ended(digest)) this.pace.wrote(nowMonoMs)
  }

  /** @returns whether a fetch gave it */
  failed(digest: Digest): boolean {
    return this.#ended(digest)
  }

  /** Until then nothing is asked for: it refused a write. */
  get pausedUntilMonoMs(): number {
    return this.#pausedUntilMonoMs
  }

  /** It takes nothing now, as far as is known. */
  isPaused(nowMonoMs: number): boolean {
    return this.isReadOnly || nowMonoMs < this.#pausedUntilMonoMs
  }

  pause(nowMonoMs: number): void {
    this.#pausedUntilMonoMs = nowMonoMs + RETRY_MS
  }

  #ended(digest: Digest): boolean {
    this.#bytes -= this.#writing.get(digest) ?? 0
    return this.#writing.delete(digest)
  }
}
