/** The step under way: collects effects in order and folds all wishes to be woken into one `wake`. */
import type { CoreConfig } from './config.ts'
import type { Effect } from './effects.ts'
import type { Now, RequestId, Ticket } from './events.ts'
import type { Step } from './step.ts'

/** Numbers and the wake that outlive a step. */
export class StepCounter {
  #request = 0
  #ticket = 0
  #wish = Number.POSITIVE_INFINITY
  #asked: number | undefined

  readonly nextRequest = (): RequestId => ++this.#request
  /** 0 is what was read at start. */
  readonly nextTicket = (): Ticket => ++this.#ticket

  /** A tick has come: every wish is spent, and whoever still waits asks again. */
  spend(): void {
    this.#wish = Number.POSITIVE_INFINITY
    this.#asked = undefined
  }

  wish(monoMs: number): void {
    this.#wish = Math.min(this.#wish, monoMs)
  }

  /** The wake to ask for, where it differs from the one asked for last. */
  wake(): number | undefined {
    if (this.#wish === Number.POSITIVE_INFINITY || this.#wish === this.#asked) return undefined
    this.#asked = this.#wish
    return this.#wish
  }
}

export class OpenStep implements Step {
  readonly now: Now
  readonly config: CoreConfig
  readonly effects: Effect[] = []
  readonly nextRequest: () => RequestId
  readonly nextTicket: () => Ticket
  readonly #counter: StepCounter
  readonly #seen: (effect: Effect) => void

  constructor(now: Now, config: CoreConfig, counter: StepCounter, seen: (effect: Effect) => void) {
    this.now = now
    this.config = config
    this.#counter = counter
    this.#seen = seen
    this.nextRequest = counter.nextRequest
    this.nextTicket = counter.nextTicket
  }

  emit(effect: Effect): void {
    this.effects.push(effect)
    this.#seen(effect)
  }

  /** Never in the past: a wish that is due already is for the next tick, not for an endless one. */
  wakeAt(monoMs: number): void {
    this.#counter.wish(Math.max(monoMs, this.now.monoMs + 1))
  }

  close(): readonly Effect[] {
    const atMonoMs = this.#counter.wake()
    if (atMonoMs !== undefined) this.effects.push({ kind: 'wake', atMonoMs })
    return this.effects
  }
}
