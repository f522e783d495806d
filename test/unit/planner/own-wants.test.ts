import { expect, test } from 'vitest'
import { buildFleet } from '../../../src/sim/planner/fleet.ts'
import { OwnWants } from '../../../src/sim/planner/own-wants.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  NO_FAILURES,
  type Question,
} from '../../../src/sim/planner/question.ts'
import { publishedRegions } from '../../../src/sim/planner/regions.ts'
import { Wheel } from '../../../src/sim/planner/wheel.ts'

const question = (nodes: number): Question => ({
  ...{ nodes, regions: publishedRegions(['us-east-1', 'eu-west-1']), bytes: 1, links: EQUAL_LINKS },
  ...{
    gateways: 'any',
    borderBitsPerSecond: BORDER_BITS_PER_SECOND,
    failures: NO_FAILURES,
    loss: 0,
    seed: 1,
  },
})

function home(nodes: number) {
  const fleet = buildFleet(question(nodes))
  const gateway = fleet.gateways[0]?.[0] as number
  const wants = new OwnWants(fleet, new Wheel(16))
  wants.begin(gateway, 16)
  return { wants, gateway }
}

test('a gateway at home may ask for an eighth of its share, and for more as others get what it brought in', () => {
  const { wants, gateway } = home(12)
  expect([0, 1, 2].map((underWay) => wants.mayAsk(gateway, underWay))).toEqual([true, true, false])
  for (const block of [1, 2]) wants.brought(gateway, block)
  expect(wants.mayAsk(gateway, 0)).toBe(false)
  expect(wants.taken(gateway, 1)).toBe(true)
  expect(wants.mayAsk(gateway, 0)).toBe(true)
  expect(wants.taken(gateway, 1)).toBe(false)
})

test('one that has nobody beside it may ask for all', () => {
  const { wants, gateway } = home(2)
  for (const block of [1, 2, 3]) wants.brought(gateway, block)
  expect(wants.mayAsk(gateway, 7)).toBe(true)
})
