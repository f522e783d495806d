/**
 * How much a gateway has under way over borders: of each gateway there so many blocks as the program asks one peer for at
 * once, of all of them no more than it holds in memory. What is beyond waits here, and is asked for as blocks come. A
 * round trip that long bounds how fast a border is, whatever its rate.
 *
 * A want may stand at a source that lacks the block, which waits itself for what another has asked of it. In the program
 * such a want ends after a second; here there is no ring of them: all ask in one and the same order, and what comes before
 * all that a gateway has under way is asked for whatever the bounds. So the first block that anybody lacks is under way.
 *
 * Simulated blocks may be larger than the program's. Then as many of them are under way as hold the same bytes, the last
 * in part, and one is asked for no sooner than those of the program in its place would all have been.
 */
import { MAX_VAIN } from '../../core/fetch/chooser.ts'
import { LIMITS } from '../../limits.ts'
import type { Holdings } from './holdings.ts'
import type { Network } from './network.ts'
import { ticksOfMs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

const NOBODY = -1
/** The manifest. */
const BEFORE_ALL = -1

interface Parts {
  readonly wheel: Wheel
  readonly network: Network
  readonly holdings: Holdings
}

export interface BlockSizes {
  readonly simulated: number
  /** Of the program; no larger than the simulated ones. */
  readonly real: number
}

/** Of a round trip in which all comes that may be under way, the part of one simulated block. */
export const spanTicks = (roundTicks: number, { simulated, real }: BlockSizes): number =>
  (roundTicks * simulated) / (LIMITS.maxWantsPerSeed * real)

interface Calls {
  /** Whom this gateway is to ask for a block; −1: nobody for now. */
  readonly source: (gateway: number, block: number) => number
  readonly ask: (gateway: number, source: number, block: number) => void
  /** Blocks that it has asked of neighbours. */
  readonly near: (gateway: number) => number
}

/** What a gateway has asked of one other. */
interface Lane {
  readonly blocks: Set<number>
  /** When all that was asked for so far would have been, were it asked for at an even pace. */
  paidTick: number
}

interface Line {
  /** To be asked for, in the order of all. */
  readonly waiting: number[]
  readonly lanes: Map<number, Lane>
  wakeTick: number
}

export class BorderWindow {
  readonly #parts: Parts
  /** By block: its place in the order in which all gateways go through them. */
  readonly #rank: readonly number[]
  readonly #sizes: BlockSizes
  readonly #calls: Calls
  readonly #turnKind: number
  readonly #lines = new Map<number, Line>()

  /**
   * @param order all blocks but the manifest, as all gateways go through them
   * @param turnKind of the event at which a gateway's `fill` is due
   */
  constructor(parts: Parts, order: readonly number[], sizes: BlockSizes, calls: Calls, turnKind: number) {
    const rank = [BEFORE_ALL]
    for (const [at, block] of order.entries()) rank[block] = at
    this.#parts = parts
    this.#rank = rank
    this.#sizes = sizes
    this.#calls = calls
    this.#turnKind = turnKind
  }

  /** All of these are to be asked for, among what waits already. */
  line(gateway: number, blocks: readonly number[]): void {
    const { waiting } = this.#lineOf(gateway)
    for (const block of blocks) waiting.push(block)
    waiting.sort((a, b) => this.#rankOf(a) - this.#rankOf(b))
    this.fill(gateway)
  }

  /** The block has come from there, or does not: the next may be asked for. @param again it is to be asked for once more */
  end(gateway: number, source: number, block: number, again: boolean): void {
    this.#lineOf(gateway).lanes.get(source)?.blocks.delete(block)
    if (again) this.line(gateway, [block])
    else this.fill(gateway)
  }

  /** It is known to be dead: nothing is under way from there any more. */
  lose(source: number): void {
    for (const { lanes } of this.#lines.values()) lanes.delete(source)
  }

  /** What is not asked for yet, in its order. */
  waiting(gateway: number): readonly number[] {
    return this.#lines.get(gateway)?.waiting ?? []
  }

  /** Asks for as much as there is room for; like the program it looks at no more than a few for which there is none. */
  fill(gateway: number): void {
    const line = this.#lines.get(gateway)
    if (line === undefined || line.waiting.length === 0) return
    const { wheel, holdings } = this.#parts
    let soonestTick = Number.POSITIVE_INFINITY
    let at = 0
    for (let vain = 0; at < line.waiting.length && vain < MAX_VAIN; ) {
      const block = line.waiting[at] as number
      const isHere = holdings.has(gateway, block)
      const isFirst = this.#isFirst(line, block)
      if (!isHere && !isFirst && this.#isFull(gateway, line)) break
      const source = isHere ? NOBODY : this.#calls.source(gateway, block)
      const readyTick =
        source === NOBODY ? Number.POSITIVE_INFINITY : this.#readyTick(gateway, line, source, isFirst)
      if (!isHere && readyTick > wheel.tick) {
        soonestTick = Math.min(soonestTick, readyTick)
        at++
        vain++
        continue
      }
      line.waiting.splice(at, 1)
      if (isHere) continue
      this.#take(gateway, line, source, block)
      this.#calls.ask(gateway, source, block)
    }
    this.#wake(gateway, line, soonestTick)
  }

  #lineOf(gateway: number): Line {
    const known = this.#lines.get(gateway)
    if (known !== undefined) return known
    const line: Line = { waiting: [], lanes: new Map(), wakeTick: 0 }
    this.#lines.set(gateway, line)
    return line
  }

  #rankOf(block: number): number {
    return this.#rank[block] as number
  }

  /** In the order of all before everything that is under way. */
  #isFirst({ lanes }: Line, block: number): boolean {
    for (const { blocks } of lanes.values())
      for (const other of blocks) if (this.#rankOf(other) < this.#rankOf(block)) return false
    return true
  }

  /** Of each gateway no more than may be under way at once, however large the last block that was asked of it. */
  #isFull(gateway: number, { lanes }: Line): boolean {
    const { simulated, real } = this.#sizes
    let bytes = this.#calls.near(gateway) * real
    for (const { blocks } of lanes.values())
      bytes += Math.min(blocks.size * simulated, LIMITS.maxWantsPerSeed * real)
    return bytes >= Math.min(LIMITS.maxWantBytes, LIMITS.maxWants * real)
  }

  /** When the next may be asked of this one; infinite where something has to come first. */
  #readyTick(gateway: number, { lanes }: Line, source: number, isFirst: boolean): number {
    const lane = lanes.get(source)
    if (lane === undefined) return 0
    const isFull = lane.blocks.size * this.#sizes.simulated >= LIMITS.maxWantsPerSeed * this.#sizes.real
    if (isFull && !isFirst) return Number.POSITIVE_INFINITY
    const roundTicks = this.#roundTicks(gateway, source)
    return lane.paidTick - Math.max(0, roundTicks - spanTicks(roundTicks, this.#sizes))
  }

  #take(gateway: number, line: Line, source: number, block: number): void {
    const lane = line.lanes.get(source) ?? { blocks: new Set(), paidTick: 0 }
    line.lanes.set(source, lane)
    lane.blocks.add(block)
    const roundTicks = this.#roundTicks(gateway, source)
    lane.paidTick = Math.max(this.#parts.wheel.tick, lane.paidTick) + spanTicks(roundTicks, this.#sizes)
  }

  #roundTicks(gateway: number, source: number): number {
    return ticksOfMs(this.#parts.network.usualRttMs(gateway, source))
  }

  #wake(gateway: number, line: Line, soonestTick: number): void {
    const { wheel } = this.#parts
    const isComing = line.wakeTick > wheel.tick && line.wakeTick <= Math.ceil(soonestTick)
    if (soonestTick === Number.POSITIVE_INFINITY || isComing) return
    line.wakeTick = Math.ceil(soonestTick)
    wheel.push(line.wakeTick, this.#turnKind, gateway, 0, 0, 0)
  }
}
