/** What each gateway of home may ask the origin for, while others have yet to get what it brought in. */
import { IN_VAIN_MS, OwnPace } from '../../core/fetch/own-pace.ts'
import type { Fleet } from './fleet.ts'
import { ticksOfMs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

const NOBODY_ELSE = () => false

export class OwnWants {
  readonly #wheel: Wheel
  readonly #own = new Map<number, number>()
  /** By gateway: of whom there is somebody else to have it. */
  readonly #paces: ReadonlyMap<number, OwnPace<number>>

  constructor(fleet: Fleet, wheel: Wheel) {
    const [home = []] = fleet.gateways
    const isAlone = fleet.regionOf.subarray(1).filter((region) => region === 0).length < 2
    this.#wheel = wheel
    this.#paces = new Map(
      isAlone ? [] : home.map((gateway) => [gateway, new OwnPace<number>(ticksOfMs(IN_VAIN_MS))]),
    )
  }

  /** It knows how many blocks it is to bring in. */
  begin(gateway: number, own: number): void {
    this.#own.set(gateway, own)
  }

  brought(gateway: number, block: number): void {
    this.#paces.get(gateway)?.brought(block, this.#wheel.tick)
  }

  /** @returns whether that one held more back until then */
  taken(gateway: number, block: number): boolean {
    return this.#paces.get(gateway)?.taken(block) === true
  }

  mayAsk(gateway: number, underWay: number): boolean {
    const asking = { own: this.#own.get(gateway) ?? 0, underWay, now: this.#wheel.tick }
    return this.#paces.get(gateway)?.mayAsk(asking, NOBODY_ELSE) !== false
  }
}
