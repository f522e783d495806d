import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import { LinkWorld } from './link-world.ts'

const NODES = 300
const SEEDS = 2
/** Records are signed for real: fewer in a message keep the checks few. */
const limits = { ...LIMITS, maxExchanged: 8 }

const restart = (remembered: number, nodes = NODES) =>
  new LinkWorld({ seed: 7, seeds: SEEDS, nodes, remembered, limits })

/** The most that fall into any second. */
const busiest = (times: readonly number[]): number =>
  Math.max(0, ...times.map((from) => times.filter((ms) => ms >= from && ms < from + 1_000).length))

describe(`a power cut: ${NODES} nodes and ${SEEDS} seeds start within a tenth of a second`, () => {
  it('and none knows another: seeds admit at their rate, and every node is well linked within 20 s', () => {
    const world = restart(0)
    world.run(20_000)
    const { admissionsPerSecond, admissionsBurst } = limits
    for (const { admitted, dialled } of world.loads.values()) {
      expect(busiest(admitted)).toBeLessThanOrEqual(admissionsBurst + admissionsPerSecond + SEEDS)
      // Whoever is told when its turn is comes then: hardly anyone knocks in vain twice.
      expect(dialled.length).toBeLessThan(2 * NODES)
    }
    expect(world.degrees()[0]).toBeGreaterThanOrEqual(limits.minDegree)
  })

  it('and each remembers others: those come first, and the seeds have a calm start', () => {
    const world = restart(24)
    world.run(3_000)
    // Linked before the seeds were needed.
    expect(world.degrees()[Math.floor(NODES / 2)]).toBeGreaterThanOrEqual(limits.minDegree)
    world.run(20_000)
    expect(world.degrees()[0]).toBeGreaterThanOrEqual(limits.minDegree)
    for (const { dialled } of world.loads.values()) expect(busiest(dialled)).toBeLessThan(NODES / 4)
  })

  it('is the same in every run', () => {
    const [one, two] = [restart(8, 60), restart(8, 60)]
    for (const world of [one, two]) world.run(2_000)
    expect([...one.loads]).toEqual([...two.loads])
    expect(one.degrees()).toEqual(two.degrees())
  })

  it('and the seeds have places for half of it: whoever has found others makes room for who has not', () => {
    const few = { ...limits, seedDegree: NODES / (2 * SEEDS) }
    const world = new LinkWorld({ seed: 7, seeds: SEEDS, nodes: NODES, remembered: 0, limits: few })
    world.run(40_000)
    expect(world.degrees()[0]).toBeGreaterThanOrEqual(limits.minDegree)
  })
})
