import type { Name } from './ids.ts'

/**
 * A version vector: publisher → counter, 1 … 2^53−1. Entries are sorted by publisher (UTF-8 bytes; names are
 * ASCII, so plain string order), because a vector is part of signed bytes and must have one form.
 */
export type VectorClock = ReadonlyMap<Name, number>

/** How two vectors relate, seen from the first. */
export type ClockOrder = 'equal' | 'after' | 'before' | 'concurrent'

/** a ≥ b in every entry, an absent entry being 0. */
function covers(a: VectorClock, b: VectorClock): boolean {
  for (const [name, counter] of b) if ((a.get(name) ?? 0) < counter) return false
  return true
}

export function compareClocks(a: VectorClock, b: VectorClock): ClockOrder {
  const over = covers(a, b)
  const under = covers(b, a)
  if (over && under) return 'equal'
  if (over) return 'after'
  return under ? 'before' : 'concurrent'
}

/** a *replaces* b: a is at least b in every entry and they differ. */
export const replaces = (a: VectorClock, b: VectorClock): boolean => compareClocks(a, b) === 'after'
