/** Whether what was stored here of a channel when the node started is known to be no older than what others have of it. */
import type { Channel } from '../../model/ids.ts'
import { FIRST_COMPARES } from '../housekeeping.ts'
import { storesChannel } from '../session.ts'
import type { SyncPeer } from './peer.ts'

/**
 * A peer may have been put back from the same backup, so those that were dialled are all waited for, up to a few: they are
 * compared with at once. Whoever came empty proves nothing, also later: what it has then it may have from here.
 *
 * @param peers those that are connected
 */
export function isCompared(
  peers: Iterable<Pick<SyncPeer, 'patterns' | 'dialled' | 'compared' | 'cameEmpty'>>,
  channel: Channel,
): boolean {
  let compared = 0
  let dialled = 0
  for (const peer of peers) {
    if (peer.cameEmpty || !storesChannel(peer.patterns, channel)) continue
    if (peer.compared) compared += 1
    if (peer.dialled) dialled += 1
  }
  return compared >= Math.max(1, Math.min(FIRST_COMPARES, dialled))
}
