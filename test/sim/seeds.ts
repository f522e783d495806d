import { expect, test } from 'vitest'
import type { Size } from '../../src/sim/happening.ts'
import { ORDINARY, runSeed } from '../../src/sim/run.ts'

const SEEDS_PER_TEST = 20

/** Small fleets meet the same troubles as large ones, for a quarter of the time. */
export const SMALL: Size = { minNodes: 6, maxNodes: 14 }

/** Tests over a range of seeds; a failing one is named with the command that replays it. */
export function testSeeds(first: number, last: number, size: Size = ORDINARY): void {
  const nodes = size === ORDINARY ? '' : ` --nodes ${size.minNodes}-${size.maxNodes}`
  for (let from = first; from <= last; from += SEEDS_PER_TEST) {
    test(`seeds ${from} to ${from + SEEDS_PER_TEST - 1}`, async () => {
      const failed: string[] = []
      for (let seed = from; seed < from + SEEDS_PER_TEST; seed++) {
        const { ok, problem } = await runSeed(seed, { size })
        if (!ok) failed.push(`seed ${seed}: ${problem} (replay: npm run sim -- --seed ${seed}${nodes})`)
      }
      expect(failed).toEqual([])
    })
  }
}
