import { describe, expect, test } from 'vitest'
import { runSeed } from '../../src/sim/run.ts'
import { testSeeds } from './seeds.ts'

describe('a simulated fleet under faults keeps its promises and converges when they end', () => {
  testSeeds(1, 40)

  test('of several regions, too, whose gateways bridge the borders', async () => {
    const { ok, problem, bridged } = await runSeed(3)
    expect({ ok, problem }).toEqual({ ok: true, problem: undefined })
    expect(bridged).toBeGreaterThan(10)
  })

  test('one seed is one run, the same to the byte', async () => {
    const [a, b] = [await runSeed(3), await runSeed(3)]
    expect(b.trace).toEqual(a.trace)
    expect(b.digest).toBe(a.digest)
  })
})
