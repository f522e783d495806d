import { describe, expect, test } from 'vitest'
import { runSeed } from '../../src/sim/run.ts'
import { testSeeds } from './seeds.ts'

describe('a simulated fleet under faults keeps its promises and converges when they end', () => {
  testSeeds(1, 100)

  test('one seed is one run, the same to the byte', async () => {
    const [a, b] = [await runSeed(7), await runSeed(7)]
    expect(b.trace).toEqual(a.trace)
    expect(b.digest).toBe(a.digest)
  }, 60_000)
})
