/** What is known since the start of what others have: of a channel that was stored here then, and of the own patterns. */
import type { Channel, Pattern, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import { FIRST_COMPARES } from '../housekeeping.ts'
import { mayShare, storesChannel } from '../session.ts'
import type { SyncPeer } from './peer.ts'

/** With whom a whole comparison was made since start. Whoever stores nothing of what is stored here tells nothing by one. */
export class ComparedPeers {
  readonly #config: Pick<CoreConfig, 'patterns' | 'limits'>
  readonly #peers = new Set<PeerId>()
  #hasReached = false
  /** Own ones of which one of them stores something. */
  readonly #patterns = new Set<Pattern>()

  constructor(config: Pick<CoreConfig, 'patterns' | 'limits'>) {
    this.#config = config
  }

  get size(): number {
    return this.#peers.size
  }

  /** Some comparison came to its end, though its peer may have more: thousands of channels take ten of them. */
  get hasReached(): boolean {
    return this.#hasReached
  }

  has(pattern: Pattern): boolean {
    return this.#patterns.has(pattern)
  }

  /** @param isSeed it takes submissions */
  note(
    { peer, patterns, cameEmpty }: Pick<SyncPeer, 'peer' | 'patterns' | 'cameEmpty'>,
    isWhole: boolean,
    isSeed = false,
  ): void {
    const shared = this.#config.patterns.filter((own) => mayShare([own], patterns))
    this.#hasReached ||= shared.length > 0
    if (!isWhole) return
    // Whoever has nothing may have begun when this node did: a seed alone tells by it that there is nothing.
    if (!cameEmpty || isSeed) for (const own of shared) this.#patterns.add(own)
    if (shared.length > 0 && this.#peers.size < this.#config.limits.maxKnownPeers) this.#peers.add(peer)
  }
}

/**
 * Whether what was stored here of a channel when the node started is known to be no older than what others have of it.
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
