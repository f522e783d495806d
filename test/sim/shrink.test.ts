import { describe, expect, test } from 'vitest'
import { createNode } from '../../src/core/node.ts'
import type { CreateCore } from '../../src/sim/node.ts'
import { runSeed, shrinkSeed } from '../../src/sim/run.ts'
import { shrink } from '../../src/sim/shrink.ts'

const SMALL = { minNodes: 5, maxNodes: 6 }

/** Believes that a link once made lasts for ever: dials in its first seconds alone. */
const neverDialsAgain: CreateCore = (config) => {
  const core = createNode(config)
  return {
    view: (now) => core.view(now),
    handle: (event, now) =>
      core.handle(event, now).filter(({ kind }) => kind !== 'dial' || now.monoMs < 3_000),
  }
}

describe('a failing schedule is shortened', () => {
  test('to what the failure needs, in its order', async () => {
    const items = Array.from({ length: 40 }, (_, n) => n)
    let runs = 0
    const left = await shrink(
      items,
      async (some) => {
        runs += 1
        return [7, 23, 31].every((needed) => some.includes(needed))
      },
      1_000,
    )
    expect(left).toEqual([7, 23, 31])
    expect(runs).toBeLessThan(200)
  })

  test('to nothing where nothing is needed, and no further than the runs last', async () => {
    expect(await shrink([1, 2, 3], async () => true, 10)).toEqual([])
    const left = await shrink([1, 2, 3, 4], async (some) => some.includes(3), 1)
    expect(left).toEqual([1, 2, 3, 4])
  })

  test('for a core that never dials again to three happenings at most, which replay the failure', async () => {
    const broken = { size: SMALL, createCore: neverDialsAgain }
    const seed = await firstFailing(broken)
    const only = await shrinkSeed(seed, broken)
    expect(only?.length).toBeGreaterThan(0)
    expect(only?.length).toBeLessThanOrEqual(3)
    expect((await runSeed(seed, { ...broken, only })).ok).toBe(false)
    expect((await runSeed(seed, { size: SMALL, only })).problem).toBeUndefined()
  }, 120_000)

  test('for a sound seed not at all', async () => {
    expect(await shrinkSeed(1, { size: SMALL })).toBeUndefined()
  })
})

async function firstFailing(options: Parameters<typeof runSeed>[1]): Promise<number> {
  for (let seed = 1; seed < 20; seed++) if (!(await runSeed(seed, options)).ok) return seed
  throw new Error('no seed fails')
}
