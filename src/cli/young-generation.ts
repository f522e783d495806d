// Must stay readable for Node 18: see launcher.ts.

import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** What a node's ordinary work needs: at 1 MiB decoding a large manifest takes half as long again, at 4 MiB an eighth more. */
const SEMI_SPACE_MIB = 4
/** Objects that live through a collection, about 1 MiB of them: more than the first, smallest semi-space lets pass. */
const SURVIVORS = 20_000
const TRIES = 20

const MIB = 1024 * 1024
const newSpaceBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0

/**
 * Bounds V8's young generation: by itself it grows to 2 × 16 MiB while modules load and never shrinks again, a fifth
 * of a node's memory. `--max-semi-space-size` counts only where it stands on Node's command line, which is the
 * user's; the factor of growth counts at any time. So: one growth to the wanted size, and none from then on.
 */
export function boundYoungGeneration(): void {
  setFlagsFromString(`--semi-space-growth-factor=${SEMI_SPACE_MIB}`)
  // What survives a collection makes it grow. V8 promises none of this: after some tries any size is taken.
  for (let tried = 0; tried < TRIES && newSpaceBytes() < SEMI_SPACE_MIB * MIB; tried++)
    Array.from({ length: SURVIVORS }, (_, index) => ({ index }))
  setFlagsFromString('--semi-space-growth-factor=1')
}
