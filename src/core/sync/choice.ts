/** With whom to compare next: whoever stores the channels that were compared longest ago. */
import type { Channel, Pattern } from '../../model/ids.ts'
import { covers } from '../../model/pattern.ts'
import { EVERYTHING, storesChannel } from '../session.ts'
import type { SyncPeer } from './peer.ts'

/** Peers compared with in one turn, where one does not store every channel that is due. */
const MAX_AT_ONCE = 4
/** After a black hole: who else has been silent for so long? */
const SILENT_MS = 10_000
const PROBES = 4

/** A channel known here, or a pattern of our own: of what it matches we may know nothing yet. */
export type Due = { readonly channel: Channel } | { readonly pattern: Pattern }

export function storesDue({ patterns }: Pick<SyncPeer, 'patterns'>, due: Due): boolean {
  if (patterns.includes(EVERYTHING)) return true
  if ('channel' in due) return storesChannel(patterns, due.channel)
  return patterns.some((pattern) => covers(pattern, due.pattern))
}

/** The common case: all nodes of a fleet store the same. */
export const coversAll = (peer: Pick<SyncPeer, 'patterns'>, patterns: readonly Pattern[]): boolean =>
  patterns.every((pattern) => storesDue(peer, { pattern }))

/**
 * @param due longest uncompared first
 * @param peers those with no comparison under way, in a fixed order
 * @returns distinct peers, one at least if there is any: patterns that overlap without covering need no due channel
 */
export function choosePeers(
  due: readonly Due[],
  peers: readonly SyncPeer[],
  random: () => number,
): readonly SyncPeer[] {
  const chosen: SyncPeer[] = []
  // Thousands of channels that nobody stores are held against what all store together, not against each of hundreds of peers.
  const all = { patterns: [...new Set(peers.flatMap(({ patterns }) => patterns))] }
  for (const one of due) {
    if (chosen.length === Math.min(MAX_AT_ONCE, peers.length)) break
    if (!storesDue(all, one) || chosen.some((peer) => storesDue(peer, one))) continue
    const fit = peers.filter((peer) => storesDue(peer, one))
    const peer = fit[Math.floor(random() * fit.length)]
    if (peer !== undefined) chosen.push(peer)
  }
  const any = peers[Math.floor(random() * peers.length)]
  return chosen.length === 0 && any !== undefined ? [any] : chosen
}

/** A few, those silent longest first. */
export const longestSilent = (peers: readonly SyncPeer[], monoMs: number): readonly SyncPeer[] =>
  peers
    .filter(({ heardMonoMs }) => monoMs - heardMonoMs >= SILENT_MS)
    .sort((a, b) => a.heardMonoMs - b.heardMonoMs)
    .slice(0, PROBES)
