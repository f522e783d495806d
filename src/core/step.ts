import type { CoreConfig } from './config.ts'
import type { Effect } from './effects.ts'
import type { Now, RequestId, Ticket } from './events.ts'

/**
 * One call of `handle`: the time, and where stages put their effects. Stages get a step and their own slice of
 * state, never each other; only `core/dispatcher.ts` and `core/own-journey.ts` pass results from one stage to the next.
 */
export interface Step {
  readonly now: Now
  readonly config: CoreConfig
  emit(effect: Effect): void
  /** Fresh numbers for requests and writes. */
  nextRequest(): RequestId
  nextTicket(): Ticket
  /** Ask to be woken at this monotonic time at the latest. */
  wakeAt(monoMs: number): void
}
