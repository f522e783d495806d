import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { Checks } from '../../../src/sim/planner/checks.ts'
import { ticksOfMs } from '../../../src/sim/planner/ticks.ts'

const BLOCK = LIMITS.maxBlockBytes
const MS = ticksOfMs(1)

test('a node checks one block after another, each node for itself', () => {
  const checks = new Checks(2, 1)
  expect([1, 2, 3].map(() => checks.done(0, BLOCK, 100))).toEqual([100 + MS, 100 + 2 * MS, 100 + 3 * MS])
  expect(checks.done(1, BLOCK, 100)).toBe(100 + MS)
  expect(checks.done(0, BLOCK, 500)).toBe(500 + MS)
})

test('a larger one takes longer, a smaller one no less', () => {
  const checks = new Checks(3, 1)
  expect(checks.done(0, 4 * BLOCK, 0)).toBe(4 * MS)
  expect(checks.done(1, BLOCK / 4, 0)).toBe(MS)
})
