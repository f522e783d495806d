/**
 * Neighbours that asked for what was not here yet. Each is told as soon as it is, so that it need not ask again: on a host
 * where all is late, asking again is what keeps the answer from coming.
 */

import type { PeerId, ReleaseId } from '../../model/ids.ts'
import { LatestSet } from '../latest.ts'

/** Releases that one neighbour may wait for here: it fetches few at once, and a flood of questions pushes out its own alone. */
export const MAX_WAITED_FOR = 64

export class Askers {
  readonly #waits = new Map<PeerId, LatestSet<ReleaseId>>()

  add(release: ReleaseId, peer: PeerId): void {
    const waits = this.#waits.get(peer) ?? new LatestSet<ReleaseId>(MAX_WAITED_FOR)
    this.#waits.set(peer, waits.add(release))
  }

  has(release: ReleaseId, peer: PeerId): boolean {
    return this.#waits.get(peer)?.has(release) === true
  }

  told(release: ReleaseId, peer: PeerId): void {
    const waits = this.#waits.get(peer)
    if (waits?.delete(release) === true && waits.size === 0) this.#waits.delete(peer)
  }

  onDisconnected(peer: PeerId): void {
    this.#waits.delete(peer)
  }

  /** The release is no longer fetched. */
  drop(release: ReleaseId): void {
    for (const peer of [...this.#waits.keys()]) this.told(release, peer)
  }
}
