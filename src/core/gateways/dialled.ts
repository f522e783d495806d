/** Whether others can dial this node. */
import type { EventOf } from '../events.ts'

export class Dialled {
  #byOthersMonoMs = Number.NEGATIVE_INFINITY
  #fromHereMonoMs = Number.NEGATIVE_INFINITY
  /** Any connection was not from this very host. */
  #sawOtherHost = false

  connected(
    { direction, ownHost }: Pick<EventOf<'connected'>, 'direction' | 'ownHost'>,
    monoMs: number,
  ): void {
    if (!ownHost) this.#sawOtherHost = true
    if (direction === 'outbound') return
    if (ownHost) this.#fromHereMonoMs = monoMs
    else this.#byOthersMonoMs = monoMs
  }

  /**
   * When another host dialled it last. Where a node has met no other host at all, the whole fleet is on this one (a demo, a
   * test), and being dialled from here counts.
   */
  get lastMonoMs(): number {
    return this.#sawOtherHost ? this.#byOthersMonoMs : this.#fromHereMonoMs
  }
}
