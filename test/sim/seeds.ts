import { expect, test } from 'vitest'
import { runSeed } from '../../src/sim/run.ts'

const SEEDS_PER_TEST = 20

/** Tests over a range of seeds; a failing one is named with the command that replays it. */
export function testSeeds(first: number, last: number): void {
  for (let from = first; from <= last; from += SEEDS_PER_TEST) {
    test(`seeds ${from} to ${from + SEEDS_PER_TEST - 1}`, async () => {
      const failed: string[] = []
      for (let seed = from; seed < from + SEEDS_PER_TEST; seed++) {
        const { ok, problem } = await runSeed(seed)
        if (!ok) failed.push(`seed ${seed}: ${problem} (replay: npm run sim -- --seed ${seed})`)
      }
      expect(failed).toEqual([])
    }, 300_000)
  }
}
