// Must stay readable for Node 18: see launcher.ts.

import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'

/** What a node's ordinary work needs: at 1 MiB decoding a large manifest takes half as long again, at 4 MiB an eighth more. */
const SEMI_SPACE_MIB = 4
/**
 * What may be garbage of the old generation before it is collected, buffers of old objects included, over what lives:
 * V8 lets it be three times as much, which under a flood was half of a node's memory. Beyond the objects that a node in
 * calm has, memory is dearer than time. Buffers do not tell a flood from the blocks of a release, and each collection
 * costs as much as some blocks: of a large release it was two fifths of the time. So what was garbage then is said.
 */
const GARBAGE_PERCENT = { calm: 50, flooded: 20, transfer: 100 }
const CALM_BYTES = 40 * 1024 * 1024
/** So many bytes of blocks between two collections are a transfer: where only a fifth may be garbage, twice as many come. */
const TRANSFER_BYTES = 1024 * 1024

/** How much garbage of the old generation the next collection waits for. */
export class GarbageBound {
  #contentBytes = 0

  /** A block came that is wanted, and right: what it leaves behind is no flood. */
  contentCame(bytes: number): void {
    this.#contentBytes += bytes
  }

  /**
   * After a collection.
   * @param usedBytes of objects
   * @param isMajor the old generation was collected
   * @returns percent of what lives
   */
  percentAfter(usedBytes: number, isMajor: boolean): number {
    const isTransfer = this.#contentBytes >= TRANSFER_BYTES
    if (isMajor) this.#contentBytes = 0
    if (isTransfer) return GARBAGE_PERCENT.transfer
    return usedBytes > CALM_BYTES ? GARBAGE_PERCENT.flooded : GARBAGE_PERCENT.calm
  }
}

export const garbageBound = new GarbageBound()

/** Objects that live through a collection, about 1 MiB of them: more than the first, smallest semi-space lets pass. */
const SURVIVORS = 20_000
const TRIES = 20

/**
 * Small buffers are cut from larger ones, 64 KiB each in Node 24, and the last of them that lives keeps the whole: an
 * address or a peer id of a few bytes. What is cut from 8 KiB, as in Node 20, keeps an eighth of that.
 */
const POOL_BYTES = 8 * 1024

const MIB = 1024 * 1024

/** Of one semi-space, as it is now. */
function semiSpaceMib(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  return space === undefined ? SEMI_SPACE_MIB : (space.space_used_size + space.space_available_size) / MIB
}

/** After a collection: how much garbage the next one leaves room for; one growth to the wanted size, and none beyond. */
function steer(isMajor: boolean): void {
  const percent = garbageBound.percentAfter(getHeapStatistics().used_heap_size, isMajor)
  setFlagsFromString(`--heap-growing-percent=${percent}`)
  const factor = Math.max(1, Math.round(SEMI_SPACE_MIB / semiSpaceMib()))
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}

const { NODE_PERFORMANCE_GC_MAJOR } = constants
const isMajor = (entry: PerformanceEntry): boolean =>
  (entry as { detail?: { kind?: number } }).detail?.kind === NODE_PERFORMANCE_GC_MAJOR

/**
 * Bounds how V8's heap and small buffers grow. The young generation by itself takes 2 × 16 MiB while modules load, a
 * fifth of a node's memory. `--max-semi-space-size` counts only where it stands on Node's command line, which is the
 * user's; the factor of growth counts at any time. It is set anew after each collection, for one that comes while the
 * node is idle makes the young generation as small as it was at first, and there it would stay.
 */
export function boundHeapGrowth(): void {
  Buffer.poolSize = POOL_BYTES
  // While V8 marks, on a busy host for a tenth of a second, it by itself lets the young generation grow as far as it
  // likes: by 27 MiB under a flood, in pages that it keeps.
  setFlagsFromString('--no-separate-gc-phases')
  steer(false)
  // What survives a collection makes it grow. V8 promises none of this: after some tries any size is taken.
  for (let tried = 0; tried < TRIES && Math.round(semiSpaceMib()) < SEMI_SPACE_MIB; tried++)
    Array.from({ length: SURVIVORS }, (_, index) => ({ index }))
  steer(false)
  new PerformanceObserver((collections) => steer(collections.getEntries().some(isMajor))).observe({
    entryTypes: ['gc'],
  })
}
