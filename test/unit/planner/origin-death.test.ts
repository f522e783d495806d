import { expect, test } from 'vitest'
import { OriginDeath } from '../../../src/sim/planner/origin-death.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  NO_FAILURES,
  type Question,
} from '../../../src/sim/planner/question.ts'
import { publishedRegions } from '../../../src/sim/planner/regions.ts'
import { nsOfTicks } from '../../../src/sim/planner/ticks.ts'

const asked = (originAfterPayloads?: number): Question => ({
  ...{ nodes: 10, regions: publishedRegions(['us-east-1']), bytes: 1_000, links: EQUAL_LINKS },
  ...{ gateways: 'any', borderBitsPerSecond: BORDER_BITS_PER_SECOND, loss: 0, seed: 1 },
  failures: { ...NO_FAILURES, ...(originAfterPayloads === undefined ? {} : { originAfterPayloads }) },
})

test('it dies once it has sent so many payloads, whatever is out', () => {
  const death = new OriginDeath(asked(1.2), 500, 2)
  expect(death.isDue(0, 1_199)).toBe(false)
  expect(death.isDue(0, 1_200)).toBe(true)
})

test('by the clock it dies, unless a block has not left it yet', () => {
  const nsPerByte = (ticks: number): number => nsOfTicks(ticks) / asked().bytes
  const death = new OriginDeath(asked(1.2), nsPerByte(500), 2)
  expect(death.tick).toBe(600)
  death.onBlockOut(0)
  death.onBlockOut(0)
  expect(death.isDue(600, 0)).toBe(false)
  death.onBlockOut(1)
  expect(death.isDue(599, 0)).toBe(false)
  expect(death.isDue(600, 0)).toBe(true)
})

test('one that is not to die lives on', () => {
  const death = new OriginDeath(asked(), 500, 1)
  death.onBlockOut(0)
  expect(death.tick).toBeUndefined()
  expect(death.isDue(1_000_000, 1_000_000)).toBe(false)
})
