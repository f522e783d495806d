/** What this node says of itself while it stands for gateway. */
import type { Stopgap } from '../../model/heartbeat.ts'
import type { CoreConfig } from '../config.ts'
import type { Now } from '../events.ts'
import { momentAfter } from './heartbeat-pace.ts'
import { isBrisk } from './heartbeats.ts'

/** Who can say nothing (no address yet, or no room beside its certificate) tries again so much later: each try is signed. */
const UNSAID_MS = 5_000

export interface Word {
  readonly bytes: Uint8Array
  readonly stopgap: Stopgap | undefined
}

export class OwnWord {
  readonly #config: CoreConfig
  #word: Word | undefined
  /** The last one, also of before others stood in between. */
  #said = { count: 0, at: 0, monoMs: Number.NEGATIVE_INFINITY, jitter: 1 }
  #unsaidMonoMs = Number.NEGATIVE_INFINITY

  constructor(config: CoreConfig) {
    this.#config = config
  }

  /** Undefined: it does not stand. */
  get word(): Word | undefined {
    return this.#word
  }

  /** To be handed out; none while it does not stand. */
  get bytes(): readonly Uint8Array[] {
    return this.#word === undefined ? [] : [this.#word.bytes]
  }

  /**
   * It has said that it stands as any other, and is to be the last: others wait for its share for as long as that word
   * holds. They take a new one as soon as they would take any.
   */
  turnsLast(stopgap: Stopgap | undefined): boolean {
    return stopgap === 'seed' && this.isNews(stopgap)
  }

  /** Others go by another class of it: once it is proven all who are rank before it until they hear so. */
  isNews(stopgap: Stopgap | undefined): boolean {
    return this.#word !== undefined && this.#word.stopgap !== stopgap
  }

  /** When it is said next: at once by who does not stand yet, but no sooner than others take one after the last. */
  nextMonoMs(paceMs: number): number {
    const { heartbeatMs } = this.#config.limits
    if (this.#word === undefined)
      return Math.max(this.#unsaidMonoMs + UNSAID_MS, this.#said.monoMs + heartbeatMs * this.#said.jitter)
    // A fleet that starts has no mesh yet to carry the first ones.
    const soonMs = heartbeatMs * 2 ** (this.#said.count - 1)
    return this.#said.monoMs + Math.min(soonMs, paceMs) * this.#said.jitter
  }

  /** @returns what is to be published; undefined: nothing can be said, and this node stands no more */
  say({ monoMs, wallMs }: Now, stopgap: Stopgap | undefined): Uint8Array | undefined {
    const at = momentAfter(this.#said.at, wallMs, this.#config.limits)
    const bytes = this.#config.signHeartbeat?.(at, stopgap)
    if (bytes === undefined) {
      this.#unsaidMonoMs = monoMs
      this.#word = undefined
      return undefined
    }
    const jitter = 0.9 + this.#config.random() / 5
    // Who has known a border slows down step by step, as who starts does: others see it before they take it for dead.
    const isSoon = isBrisk(monoMs - this.#said.monoMs, this.#config.limits)
    const steps = isSoon ? Math.min(this.#said.count, 1) : this.#said.count
    this.#said = { count: steps + 1, at, monoMs, jitter }
    this.#word = { bytes, stopgap }
    return bytes
  }

  end(): void {
    this.#word = undefined
  }
}
