/**
 * What the word of those who announce things over a border is worth: how much of each is asked for at once, and who
 * promised so much that came to nothing that it is not asked for a while. All of it outlives a connection, or whoever
 * dials again would be as good as new.
 */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import { LatestMap } from '../latest.ts'
import { createBuckets } from '../rate.ts'

/** Whoever announced too much that led to nothing is not asked for so long. */
export const DISTRUST_MS = 30_000

export class Announcers {
  readonly #maxPulls: number
  readonly #duds: ReturnType<typeof createBuckets<PeerId>>
  readonly #distrustedUntil: LatestMap<PeerId, number>
  readonly #pulls = new Map<PeerId, number>()

  constructor(limits: Limits) {
    this.#maxPulls = limits.maxBridgePullsOfOne
    this.#duds = createBuckets(limits.bridgeDudsPerSecond, limits.bridgeDudsBurst, limits.maxKnownPeers)
    this.#distrustedUntil = new LatestMap(limits.maxKnownPeers)
  }

  isTrusted(peer: PeerId, monoMs: number): boolean {
    return (this.#distrustedUntil.get(peer) ?? 0) <= monoMs
  }

  /** False: so much of it is under way already. */
  hasTurn(peer: PeerId): boolean {
    return (this.#pulls.get(peer) ?? 0) < this.#maxPulls
  }

  pulled(peer: PeerId): void {
    this.#pulls.set(peer, (this.#pulls.get(peer) ?? 0) + 1)
  }

  /** Every pull ends in this, whatever became of it. */
  ended(peer: PeerId): void {
    const left = (this.#pulls.get(peer) ?? 0) - 1
    if (left > 0) this.#pulls.set(peer, left)
    else this.#pulls.delete(peer)
  }

  /** What it announced came to nothing. */
  dud(peer: PeerId, monoMs: number): void {
    if (!this.#duds.take(peer, monoMs)) this.#distrustedUntil.set(peer, monoMs + DISTRUST_MS)
  }
}
