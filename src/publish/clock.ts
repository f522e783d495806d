/** The clock of the next release: past everything its publisher has seen in the channel's current epoch. */
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { VectorClock } from '../model/clock.ts'
import type { Channel, Name } from '../model/ids.ts'
import type { Release } from '../model/release.ts'

/** A last counter is left free: at it nothing could follow but a raised epoch. */
const GREATEST_COUNTER = Number.MAX_SAFE_INTEGER - 1

/**
 * @param remembered greatest counter that this key's memory knows in this epoch, 0 where none
 * @throws MeshError PUBLISH_COUNTER
 */
export function nextClock(
  publisher: Name,
  channel: Channel,
  seen: { readonly releases: readonly Release[]; readonly remembered: number },
  limits: Limits,
): VectorClock {
  const others = new Map<Name, number>()
  let greatest = seen.remembered
  for (const { header } of seen.releases)
    for (const [name, counter] of header.clock) {
      greatest = Math.max(greatest, counter)
      if (name !== publisher) others.set(name, Math.max(others.get(name) ?? 0, counter))
    }
  const own = greatest + 1
  if (own > GREATEST_COUNTER)
    throw new MeshError(
      'PUBLISH_COUNTER',
      `${channel}: its counters are used up (a stolen key may have done it); raise its epoch: confmesh trust raise-epoch '${channel}'`,
    )
  // A clock that left one out would replace none of its releases: the conflict would outlast every release to come.
  if (others.size >= limits.maxClockEntries)
    throw new MeshError(
      'PUBLISH_COUNTER',
      `${channel}: ${others.size} others have published there in this epoch, and a clock names ${limits.maxClockEntries} publishers at most; raise its epoch: confmesh trust raise-epoch '${channel}'`,
    )
  return new Map([...others, [publisher, own] as const].sort(([a], [b]) => (a < b ? -1 : 1)))
}
