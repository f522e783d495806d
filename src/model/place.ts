import type { Name } from './ids.ts'

/**
 * Where a release stands in its channel: epoch, then the publisher's own counter, then the publisher's name.
 * The greatest place wins; two releases in one place hold the channel.
 */
export interface Place {
  readonly epoch: number
  readonly counter: number
  /** Empty only in the place `(epoch, 0, "")` from which a raised epoch starts. */
  readonly publisher: Name | ''
}

/** Total order of places: negative, zero or positive as a is below, at or above b. */
export function comparePlaces(a: Place, b: Place): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch
  if (a.counter !== b.counter) return a.counter - b.counter
  // Names are ASCII, so code unit order is UTF-8 byte order.
  if (a.publisher === b.publisher) return 0
  return a.publisher < b.publisher ? -1 : 1
}

export const placeBefore = (epoch: number): Place => ({ epoch, counter: 0, publisher: '' })
