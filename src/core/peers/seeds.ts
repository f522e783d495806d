/**
 * Which seeds a node wants once it has peers enough: one, so that it leaves room for others, unless what that one stores is
 * not all that the node stores. Neighbours that store the rest may lack its content as this node does; a seed that stores it
 * has it.
 */
import type { Pattern, PeerId } from '../../model/ids.ts'
import { covers } from '../../model/pattern.ts'
import { stores } from '../degree.ts'
import { type AdmittedSession, EVERYTHING } from '../session.ts'
import type { PeerBook } from './book.ts'

/** Those of them that are linked: what the configuration calls one may be none by now. */
export const seedsAmong = (
  admitted: readonly AdmittedSession[],
  book: Pick<PeerBook, 'isSeed'>,
): readonly AdmittedSession[] => admitted.filter(({ peer, hello }) => hello.submit && book.isSeed(peer))

type Linked = readonly Pick<AdmittedSession, 'hello'>[]

/** It stores something of the own channels, a part of a pattern at least, that none of these linked seeds does. */
export function isMore(own: readonly Pattern[], linked: Linked, patterns: readonly Pattern[]): boolean {
  const there = linked.flatMap(({ hello }) => hello.patterns)
  const shared = own.flatMap((pattern) =>
    stores(patterns, pattern) ? [pattern] : patterns.filter((part) => covers(pattern, part)),
  )
  return shared.some((pattern) => !stores(there, pattern))
}

/**
 * Of the seeds that are away those of which one is wanted.
 * @param patternsOf what a seed stores; of one that was never heard of that may be everything
 */
export function lacking(
  own: readonly Pattern[],
  linked: Linked,
  away: readonly PeerId[],
  patternsOf: (seed: PeerId) => readonly Pattern[] | undefined,
): readonly PeerId[] {
  const more = away.filter((seed) => isMore(own, linked, patternsOf(seed) ?? [EVERYTHING]))
  // It knows of others, whatever it stores.
  return linked.length === 0 && more.length === 0 ? away : more
}
