// Must stay readable for Node 18: see launcher.ts.

import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'

/** What a node's ordinary work needs: at 1 MiB decoding a large manifest takes half as long again, at 4 MiB an eighth more. */
const SEMI_SPACE_MIB = 4
/**
 * What may be garbage of the old generation before it is collected, buffers of old objects included, over what lives:
 * V8 lets it be three times as much, which under a flood was half of a node's memory. Beyond the objects that a node in
 * calm has, memory is dearer than time. Buffers do not tell a flood from the blocks of a release, and each collection
 * costs as much as some blocks.
 */
const GARBAGE_PERCENT = { calm: 50, flooded: 20 }
const CALM_BYTES = 40 * 1024 * 1024
export const garbagePercent = (usedBytes: number): number =>
  usedBytes > CALM_BYTES ? GARBAGE_PERCENT.flooded : GARBAGE_PERCENT.calm
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
function steer(): void {
  setFlagsFromString(`--heap-growing-percent=${garbagePercent(getHeapStatistics().used_heap_size)}`)
  const factor = Math.max(1, Math.round(SEMI_SPACE_MIB / semiSpaceMib()))
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}

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
  steer()
  // What survives a collection makes it grow. V8 promises none of this: after some tries any size is taken.
  for (let tried = 0; tried < TRIES && Math.round(semiSpaceMib()) < SEMI_SPACE_MIB; tried++)
    Array.from({ length: SURVIVORS }, (_, index) => ({ index }))
  steer()
  new PerformanceObserver(steer).observe({ entryTypes: ['gc'] })
}
