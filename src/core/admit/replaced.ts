/**
 * Identities whose link here is replaced by another of theirs again and again. An image with `identity.key` in it makes a
 * thousand nodes of one id: each that is admitted ends the link of the one before, which comes back, and together they would
 * have every turn of admission. A node that starts anew, or whose link was lost, replaces its own once or twice.
 */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { EventOf } from '../events.ts'
import { LatestMap } from '../latest.ts'
import { isAdmitted, type Session } from '../session.ts'

/** So often in `settledLinkMs`, and none of that id is admitted for the rest of it. One node sees in 10 s that a link is lost. */
export const MAX_REPLACED = 8

export const CLONES = 'nodes of this very identity replace one another here; each needs its own identity.key'

export class Replaced {
  readonly #settledLinkMs: number
  readonly #lately: LatestMap<PeerId, { readonly times: number; readonly untilMonoMs: number }>

  constructor({ settledLinkMs, maxKnownPeers }: Limits) {
    this.#settledLinkMs = settledLinkMs
    this.#lately = new LatestMap(maxKnownPeers)
  }

  /** Counts where an admitted link gave way to the peer's next connection; of two dials that cross one is not admitted. */
  ended({ peer, replaced }: EventOf<'disconnected'>, session: Session | undefined, monoMs: number): void {
    if (!replaced || session === undefined || !isAdmitted(session)) return
    const lately = this.#lately.get(peer)
    const next =
      lately === undefined || lately.untilMonoMs <= monoMs
        ? { times: 1, untilMonoMs: monoMs + this.#settledLinkMs }
        : { ...lately, times: lately.times + 1 }
    this.#lately.set(peer, next)
  }

  /** For how long it is not admitted. */
  awayMs(peer: PeerId, monoMs: number): number {
    const { times, untilMonoMs } = this.#lately.get(peer) ?? { times: 0, untilMonoMs: 0 }
    return times < MAX_REPLACED ? 0 : Math.max(0, untilMonoMs - monoMs)
  }
}
