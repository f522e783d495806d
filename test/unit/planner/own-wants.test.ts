import { expect, test } from 'vitest'
import { OwnWants } from '../../../src/sim/planner/own-wants.ts'
import { twoRegions } from './two-regions.ts'

/** @param nodes of both regions together */
function ofHome(nodes?: number) {
  const { fleet, wheel, home } = twoRegions(1, undefined, nodes)
  const gateway = home[0] as number
  const wants = new OwnWants(fleet, wheel)
  wants.begin(gateway, 16)
  return { wants, gateway }
}

test('a gateway at home may ask for an eighth of its share, and for more as others get what it brought in', () => {
  const { wants, gateway } = ofHome()
  expect([0, 1, 2].map((underWay) => wants.mayAsk(gateway, underWay))).toEqual([true, true, false])
  for (const block of [1, 2]) wants.brought(gateway, block)
  expect(wants.mayAsk(gateway, 0)).toBe(false)
  expect(wants.taken(gateway, 1)).toBe(true)
  expect(wants.mayAsk(gateway, 0)).toBe(true)
  expect(wants.taken(gateway, 1)).toBe(false)
})

test('one that has nobody beside it may ask for all', () => {
  const { wants, gateway } = ofHome(2)
  for (const block of [1, 2, 3]) wants.brought(gateway, block)
  expect(wants.mayAsk(gateway, 7)).toBe(true)
})
