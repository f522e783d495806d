/**
 * Whether this node is proven: up for ten to twenty minutes, and dialled by another host within the hour. Who ranks first is so
 * first: of a fleet that has started together those that stand are proven before those that would stand in their place.
 */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { EventOf } from '../events.ts'

type Connected = Pick<EventOf<'connected'>, 'peer' | 'direction' | 'ownHost'>

export class Proven {
  readonly #upMs: number
  readonly #dialledWithinMs: number
  readonly #byOthers = new Inbound()
  readonly #fromHere = new Inbound()
  /** Any connection was not from this very host. */
  #sawOtherHost = false
  #startMonoMs = 0

  /** @param turn of this node, 0 to 1 */
  constructor({ provenUpMs, dialledWithinMs }: Pick<Limits, 'provenUpMs' | 'dialledWithinMs'>, turn: number) {
    this.#upMs = provenUpMs * (1 + turn)
    this.#dialledWithinMs = dialledWithinMs
  }

  started(monoMs: number): void {
    this.#startMonoMs = monoMs
  }

  connected({ peer, direction, ownHost }: Connected, monoMs: number): void {
    if (!ownHost) this.#sawOtherHost = true
    this.ended(peer, monoMs)
    if (direction === 'inbound') (ownHost ? this.#fromHere : this.#byOthers).open.add(peer)
  }

  ended(peer: PeerId, monoMs: number): void {
    for (const inbound of [this.#byOthers, this.#fromHere])
      if (inbound.open.delete(peer)) inbound.endedMonoMs = monoMs
  }

  /**
   * Where a node has met no other host at all, the whole fleet is on this one (a demo, a test), and being dialled from here
   * counts.
   */
  at(monoMs: number): boolean {
    const { open, endedMonoMs } = this.#sawOtherHost ? this.#byOthers : this.#fromHere
    const isDialled = open.size > 0 || endedMonoMs > monoMs - this.#dialledWithinMs
    return isDialled && monoMs - this.#startMonoMs >= this.#upMs
  }
}

/** Links in a calm fleet last for hours, and nobody dials anew: as long as one stands it shows that there is a way. */
class Inbound {
  readonly open = new Set<PeerId>()
  endedMonoMs = Number.NEGATIVE_INFINITY
}
