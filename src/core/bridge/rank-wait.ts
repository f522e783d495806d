import type { Limits } from '../../limits.ts'

/**
 * How long a gateway that was only told of a thing waits for those that rank before it.
 *
 * @param place its own rank for the thing, from 0; the first waits as the second does
 * @param bySeed a seed of its region told it, which pushes to the first rank: in a region of short ways that copy is
 *   checked and claimed before anything could have crossed a border. The third waits for the second's claim as well.
 */
export function rankWaitMs(place: number, bySeed: boolean, limits: Limits): number {
  if (place === 0 || !bySeed) return Math.max(1, place) * limits.bridgeWaitMs
  return limits.bridgeHomeWaitMs + (place - 1) * limits.bridgeWaitMs
}
