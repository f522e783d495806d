import { describe, expect, it } from 'vitest'
import { runSeed } from '../../src/sim/run.ts'

const SEEDS = 200
const SEEDS_PER_TEST = 20

describe('a simulated fleet under faults keeps its promises and converges when they end', () => {
  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    it(`seeds ${first} to ${first + SEEDS_PER_TEST - 1}`, async () => {
      const failed: string[] = []
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) {
        const { ok, problem } = await runSeed(seed)
        if (!ok) failed.push(`seed ${seed}: ${problem} (replay: npm run sim -- --seed ${seed})`)
      }
      expect(failed).toEqual([])
    }, 300_000)
  }

  it('one seed is one run, the same to the byte', async () => {
    const [a, b] = [await runSeed(7), await runSeed(7)]
    expect(b.trace).toEqual(a.trace)
    expect(b.digest).toBe(a.digest)
  }, 60_000)
})
