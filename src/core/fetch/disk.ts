/** The store as a fetch knows it: which blocks it has yet to write, how fast it does, and when it takes none. */
import type { Digest } from '../../model/ids.ts'
import type { Step } from '../step.ts'
import { BulkPace } from './bulk-pace.ts'

/** After it refused a write. */
const RETRY_MS = 5_000
/** With a block still to write that it was given so long ago it is behind: who waits for blocks waits for it, be it not for peers. */
const BEHIND_MS = 5_000

interface Write {
  readonly bytes: number
  readonly sinceMonoMs: number
}

export class Disk {
  /** How fast blocks go to it, and large releases are asked for. */
  readonly pace = new BulkPace()
  /** It takes nothing; the store says when it does again. */
  #isReadOnly = false
  /** It takes all but blocks by themselves, for want of room; the same. */
  #isShort = false
  /** What it was given first comes first. */
  readonly #writing = new Map<Digest, Write>()
  #bytes = 0
  /** When it was given a block last, of whatever release. */
  givenMonoMs = Number.NEGATIVE_INFINITY
  /** When it last ended a write with which it was behind. */
  #behindMonoMs = Number.NEGATIVE_INFINITY
  /** Said once that it writes nothing. */
  #hangs = false
  #pausedUntilMonoMs = 0

  /** Blocks being written, and their bytes: they count as under way. */
  get size(): number {
    return this.#writing.size
  }

  get bytes(): number {
    return this.#bytes
  }

  setMode(isReadOnly: boolean, isShort: boolean): void {
    this.#isReadOnly = isReadOnly
    this.#isShort = isShort
  }

  /** Who asks for any asks in vain. */
  get takesNoBlocks(): boolean {
    return this.#isReadOnly || this.#isShort
  }

  isWriting(digest: Digest): boolean {
    return this.#writing.has(digest)
  }

  /** One that it is not writing yet. */
  takes(digest: Digest, bytes: number, nowMonoMs: number): void {
    if (this.#writing.size === 0) this.pace.began(nowMonoMs)
    this.#writing.set(digest, { bytes, sinceMonoMs: nowMonoMs })
    this.#bytes += bytes
    this.givenMonoMs = nowMonoMs
  }

  /** A block is durable, whoever gave it. */
  wrote(digest: Digest, nowMonoMs: number): void {
    if (this.#ended(digest, nowMonoMs)) this.pace.wrote(nowMonoMs)
  }

  /** @returns whether a fetch gave it */
  failed(digest: Digest, nowMonoMs: number): boolean {
    return this.#ended(digest, nowMonoMs)
  }

  /** Until then nothing is asked for: it refused a write. */
  get pausedUntilMonoMs(): number {
    return this.#pausedUntilMonoMs
  }

  /** It takes nothing now, as far as is known. */
  isPaused(nowMonoMs: number): boolean {
    return this.#isReadOnly || nowMonoMs < this.#pausedUntilMonoMs
  }

  pause(nowMonoMs: number): void {
    this.#pausedUntilMonoMs = nowMonoMs + RETRY_MS
  }

  /** When it was behind last: what had not come by then says nothing of peers. */
  behindMonoMs(nowMonoMs: number): number {
    return this.#waitMs(nowMonoMs) >= BEHIND_MS ? nowMonoMs : this.#behindMonoMs
  }

  /** A disk may hang for good without an error, such as one over a network. @param mostMs so long a write may take */
  complain(step: Step, mostMs: number): void {
    const waitMs = this.#waitMs(step.now.monoMs)
    if (waitMs < BEHIND_MS) this.#hangs = false
    if (waitMs < mostMs || this.#hangs) return
    this.#hangs = true
    const text = `blocks given to this node's own disk ${Math.floor(waitMs / 1_000)} s ago are not written yet; fetches wait for it`
    step.emit({ kind: 'note', level: 'warn', code: 'STORE_SLOW', text })
  }

  /** For how long it has had what it has yet to write. */
  #waitMs(nowMonoMs: number): number {
    const [first] = this.#writing.values()
    return first === undefined ? 0 : nowMonoMs - first.sinceMonoMs
  }

  #ended(digest: Digest, nowMonoMs: number): boolean {
    const write = this.#writing.get(digest)
    if (write === undefined) return false
    if (nowMonoMs - write.sinceMonoMs >= BEHIND_MS) this.#behindMonoMs = nowMonoMs
    this.#bytes -= write.bytes
    return this.#writing.delete(digest)
  }
}
