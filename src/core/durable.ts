import type { EventOf, Ticket } from './events.ts'

declare const durable: unique symbol

/**
 * Proof that a write is on disk. Effects that must not outrun the disk (activating, acknowledging) carry one,
 * and only `persisted` events and the snapshot read at start make one: what must be durable first exists only as
 * a consequence of it.
 */
export interface Durable {
  readonly [durable]: true
  /** The write that proved it; 0 for what was read from disk at start. */
  readonly ticket: Ticket
}

export const durableBy = (event: EventOf<'persisted'>): Durable => ({ ticket: event.ticket }) as Durable
export const durableAtStart = (_event: EventOf<'started'>): Durable => ({ ticket: 0 }) as Durable
