/** What each gateway of home may ask the origin for, while others have yet to get what it brought in. */
import { IN_VAIN_MS, OwnPace } from '../../core/fetch/own-pace.ts'
import type { Fleet } from './fleet.ts'
import { ticksOfMs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

const NOBODY_ELSE = () => false

interface Share {
  /** Blocks that the gateway is to bring in. */
  readonly own: number
  readonly pace: OwnPace<number>
}

export class OwnWants {
  readonly #wheel: Wheel
  /** Home has more than one node: there is another to have what one brings in. */
  readonly #isAnyoneElse: boolean
  /** By gateway, once it knows all blocks. */
  readonly #shares = new Map<number, Share>()

  constructor(fleet: Fleet, wheel: Wheel) {
    this.#wheel = wheel
    this.#isAnyoneElse = fleet.regionOf.subarray(1).filter((region) => region === 0).length > 1
  }

  begin(gateway: number, own: number): void {
    if (this.#isAnyoneElse) this.#shares.set(gateway, { own, pace: new OwnPace(ticksOfMs(IN_VAIN_MS)) })
  }

  brought(gateway: number, block: number): void {
    this.#shares.get(gateway)?.pace.brought(block, this.#wheel.tick)
  }

  /** @returns whether that one held more back until then */
  taken(gateway: number, block: number): boolean {
    return this.#shares.get(gateway)?.pace.taken(block) === true
  }

  mayAsk(gateway: number, underWay: number): boolean {
    const share = this.#shares.get(gateway)
    if (share === undefined) return true
    return share.pace.mayAsk({ own: share.own, underWay, now: this.#wheel.tick }, NOBODY_ELSE)
  }
}
