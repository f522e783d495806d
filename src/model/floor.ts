import type { Channel, FleetId, ReleaseId } from './ids.ts'
import { comparePlaces, type Place } from './place.ts'

/**
 * The safety state of a channel: the greatest place accepted and the one or two releases there. It is kept
 * twice and never lowered. One id: that release is the target; two: the publisher equivocated, the channel is held.
 */
export interface Floor {
  readonly fleet: FleetId
  readonly channel: Channel
  readonly top: Place
  /** 0, 1 or 2 ids, ascending. None only right after a raised epoch. */
  readonly ids: readonly ReleaseId[]
}

/** The greater top; at equal tops the union of ids, any two of them. Commutative, associative, idempotent on `seen`. */
export function joinFloors(a: Floor, b: Floor): Floor {
  const order = comparePlaces(a.top, b.top)
  if (order !== 0) return order > 0 ? a : b
  const ids = [...new Set([...a.ids, ...b.ids])].sort()
  return { ...a, ids: ids.slice(0, 2) }
}
