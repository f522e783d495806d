import type { PeerId } from '../../model/ids.ts'
import { peerOf } from '../../model/names.ts'
import type { CoreConfig } from '../config.ts'

/** Seeds that the own configuration names, this node among them. */
export const namedSeeds = ({ seeds, self }: Pick<CoreConfig, 'seeds' | 'self'>): ReadonlySet<PeerId> =>
  new Set([self, ...seeds.map(peerOf)])

/**
 * The own configuration names seeds by their peer id; that a peer takes submissions is otherwise its own word. So what
 * hangs on other seeds (leases, a second holder) asks those first, and peers that only say so cannot push them out.
 *
 * @param peers who say that they take submissions
 * @returns ascending within each part
 */
export function namedFirst(
  config: Pick<CoreConfig, 'seeds' | 'self'>,
  peers: readonly PeerId[],
): { readonly named: readonly PeerId[]; readonly others: readonly PeerId[] } {
  const known = namedSeeds(config)
  const distinct = [...new Set(peers)].sort()
  return {
    named: distinct.filter((peer) => known.has(peer)),
    others: distinct.filter((peer) => !known.has(peer)),
  }
}
