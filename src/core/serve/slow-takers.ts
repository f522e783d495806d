/**
 * Who does not take what it is given holds a place for as long as a block may take, and a few of them all places there are.
 * That a block takes long says nothing by itself: the own uplink may be slow. It does once blocks that others asked for later
 * have left meanwhile, as many bytes as all places hold: peers share the uplink evenly, and blocks may be small. What one peer
 * has on its way at once shares its part. Where every place is held so, one more is given, so that this shows. While this
 * node stands still nothing leaves it, and of all that leaves after that what is far, or on a slow link, comes last: only time
 * in which it runs is a peer's.
 */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import { LatestMap } from '../latest.ts'

/** Within this a block is through on a new connection to the other side of the world; at 1 Mbit/s it takes 2 s. */
export const SLOW_MS = 3_000
/** For so long whoever was slow shares one place with all others who were. */
export const SLOW_FOR_MS = 60_000
/** Such peers remembered: half of those a seed has. */
export const MAX_SLOW = 256

/** While it is read off the disk, however long that takes, a block is no sign of who asked for it. */
export const NOT_YET = Number.POSITIVE_INFINITY

/** A block on its way to a peer, or being read for it. */
export interface Taking {
  readonly peer: PeerId
  /** Since when it leaves this node, or `NOT_YET`. */
  sinceMonoMs: number
  /** Bytes of blocks that others asked for later, and have. */
  passedByBytes: number
  /** Blocks that this peer had on its way at once meanwhile, at most. */
  ofItsPeer: number
  /** For so long this node stood still meanwhile. */
  stoodMs: number
}

/** When it is, if it is the only one of its peer. */
export const lateMonoMs = ({ sinceMonoMs }: Taking): number => sinceMonoMs + SLOW_MS
const isLate = (one: Taking, monoMs: number): boolean => lateMonoMs(one) <= monoMs

export class SlowTakers {
  /** Since when each is known to be. */
  readonly #since = new LatestMap<PeerId, number>(MAX_SLOW)
  /** When the next look is due. */
  #lookMonoMs = Number.POSITIVE_INFINITY

  has(peer: PeerId, monoMs: number): boolean {
    return monoMs - (this.#since.get(peer) ?? Number.NEGATIVE_INFINITY) < SLOW_FOR_MS
  }

  /** Before anything is judged: one that comes much later than it was asked for says that this node stood still. @returns by when to look again */
  look(active: readonly Taking[], { repairMs }: Limits, monoMs: number): number {
    const lateMs = monoMs - this.#lookMonoMs
    if (lateMs > repairMs)
      for (const one of active)
        one.stoodMs = Math.min(one.stoodMs + lateMs, Math.max(0, monoMs - one.sinceMonoMs))
    this.#lookMonoMs = monoMs + repairMs
    return this.#lookMonoMs
  }

  /** Places that are held: all slow ones have one. */
  places(active: readonly Taking[], monoMs: number): number {
    const quick = active.filter(({ peer }) => !this.has(peer, monoMs)).length
    return quick + (quick < active.length ? 1 : 0)
  }

  /** Every place is held by who is late, and nobody was let by yet. */
  letsBy(active: readonly Taking[], most: number, monoMs: number): boolean {
    return (
      this.places(active, monoMs) === most &&
      active.every((one) => isLate(one, monoMs) || this.has(one.peer, monoMs))
    )
  }

  /**
   * So much of this block has left, those are on their way still.
   * @returns true where one of these peers counts as slow from now on
   */
  left(
    block: Taking,
    bytes: number,
    active: readonly Taking[],
    { maxServedAtOnce, maxBlockBytes }: Limits,
    monoMs: number,
  ): boolean {
    for (const one of active) {
      const now = [block, ...active].filter(({ peer }) => peer === one.peer).length
      one.ofItsPeer = Math.max(one.ofItsPeer, now)
    }
    const before = active.filter((one) => one.peer !== block.peer && one.sinceMonoMs < block.sinceMonoMs)
    for (const one of before) one.passedByBytes += bytes
    const slow = before.filter(
      ({ peer, passedByBytes, sinceMonoMs, stoodMs, ofItsPeer }) =>
        passedByBytes >= maxServedAtOnce * maxBlockBytes &&
        // Of all places at once the deadline would come first.
        sinceMonoMs + stoodMs + SLOW_MS * Math.min(ofItsPeer, Math.max(1, maxServedAtOnce - 1)) <= monoMs &&
        !this.has(peer, monoMs),
    )
    for (const { peer } of slow) this.#since.set(peer, monoMs)
    return slow.length > 0
  }
}
