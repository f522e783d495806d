/** With whom to compare next: whoever stores the channels that were compared longest ago. */
import type { Channel, Pattern } from '../../model/ids.ts'
import { covers } from '../../model/pattern.ts'
import { EVERYTHING, storesChannel } from '../session.ts'
import type { SyncPeer } from './peer.ts'

/** Peers compared with in one turn, where one does not store every channel that is due. */
const MAX_AT_ONCE = 4

/** A channel known here, or a pattern of our own: of what it matches we may know nothing yet. */
export type Due = { readonly channel: Channel } | { readonly pattern: Pattern }

export function storesDue({ patterns }: SyncPeer, due: Due): boolean {
  if (patterns.includes(EVERYTHING)) return true
  if ('channel' in due) return storesChannel(patterns, due.channel)
  return patterns.some((pattern) => covers(pattern, due.pattern))
}

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
  let rest = due
  while (rest.length > 0 && chosen.length < MAX_AT_ONCE) {
    const [first] = rest
    const fit = first === undefined ? [] : peers.filter((peer) => storesDue(peer, first))
    const peer = fit[Math.floor(random() * fit.length)]
    if (peer === undefined)
      rest = rest.slice(1).filter((other) => peers.some((known) => storesDue(known, other)))
    else {
      chosen.push(peer)
      rest = rest.filter((other) => !storesDue(peer, other))
    }
  }
  const any = peers[Math.floor(random() * peers.length)]
  return chosen.length === 0 && any !== undefined ? [any] : chosen
}
