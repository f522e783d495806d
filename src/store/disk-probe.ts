import { LONGEST_TIMER_MS } from '../runtime/ports.ts'

/** A disk that fails, or a folder that is another user's, stays so for hours: each try writes megabytes. */
const MOST_PAUSE_MS = 60_000

export interface DiskProbeInit {
  /** Before the first try, and between those at a full disk. */
  readonly pauseMs: number
  /** Fails where the disk still refuses: that is known, and the next try follows. */
  readonly attempt: () => Promise<void>
}

/** Tries again by itself whether a disk takes writes: a pause, one try, and no further one before that has ended. */
export class DiskProbe {
  readonly #init: DiskProbeInit
  #timer: NodeJS.Timeout | undefined
  #isOn = false
  #isTrying = false
  #grows = false
  #pauseMs: number
  #stoppedMonoMs = Number.NEGATIVE_INFINITY

  constructor(init: DiskProbeInit) {
    this.#init = init
    this.#pauseMs = init.pauseMs
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** @param grows with each try in vain the pause doubles, also from one time to the next where that follows soon */
  start(grows: boolean): void {
    this.#grows = grows
    if (this.#isOn) return
    this.#isOn = true
    const isSoon = performance.now() - this.#stoppedMonoMs < MOST_PAUSE_MS
    this.#pauseMs = isSoon ? this.#nextPauseMs() : this.#init.pauseMs
    if (!this.#isTrying) this.#wait()
  }

  stop(): void {
    if (this.#isOn) this.#stoppedMonoMs = performance.now()
    this.#isOn = false
    clearTimeout(this.#timer)
  }

  #wait(): void {
    clearTimeout(this.#timer)
    // Nodes that share a disk do not all try at once.
    const pauseMs = Math.min(this.#pauseMs * (1 + Math.random() / 4), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => void this.#try(), pauseMs).unref()
  }

  async #try(): Promise<void> {
    this.#isTrying = true
    await this.#init.attempt().catch(() => undefined)
    this.#isTrying = false
    if (!this.#isOn) return
    this.#pauseMs = this.#nextPauseMs()
    this.#wait()
  }

  #nextPauseMs(): number {
    const { pauseMs } = this.#init
    return this.#grows ? Math.max(pauseMs, Math.min(2 * this.#pauseMs, MOST_PAUSE_MS)) : pauseMs
  }
}
