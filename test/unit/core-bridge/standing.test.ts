import { expect, it } from 'vitest'
import { gatewaysFor, nodesKnownIn } from '../../../src/core/gateways/standing.ts'
import type { AdmittedSession } from '../../../src/core/session.ts'
import { LIMITS } from '../../../src/limits.ts'

const linked = (...regions: readonly string[]) => ({
  admitted: () => regions.map((region) => ({ hello: { region } }) as AdmittedSession),
})

it('three fifths of a small region stand, three at least, of a large one eight', () => {
  expect([1, 3, 5].map((nodes) => gatewaysFor(nodes, LIMITS))).toEqual([3, 3, 3])
  expect([6, 10, 12].map((nodes) => gatewaysFor(nodes, LIMITS))).toEqual([4, 6, 8])
  expect([LIMITS.minDegree, 10_000].map((nodes) => gatewaysFor(nodes, LIMITS))).toEqual([8, 8])
})

it('a node knows itself and those of its region that it is linked to', () => {
  expect(nodesKnownIn('eu', linked('eu', 'us', 'eu', 'default'))).toBe(3)
  expect(nodesKnownIn('default', linked('default', 'default', 'eu'))).toBe(3)
})
