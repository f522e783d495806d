/** The fleets that the goals of the simulator are told for are those that its bench judges. */

import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { CASES, intoRegion, MIB, SIX, SMALL_BYTES, THREE } from '../../../bench/planner-cases.ts'
import { MIXED_LINKS, NO_FAILURES } from '../../../src/sim/planner/question.ts'

test.each([
  { failures: NO_FAILURES, regions: THREE },
  { failures: NO_FAILURES, regions: SIX },
  { failures: { ...NO_FAILURES, gateway: true }, regions: THREE },
  { failures: { ...NO_FAILURES, gateway: true }, regions: SIX },
])('the time of one message is judged up to 100,000 nodes: $regions.length regions, $failures', (asked) => {
  const cases = CASES.filter(
    ({ question: { bytes, failures, regions }, most }) =>
      bytes === SMALL_BYTES &&
      isDeepStrictEqual(failures, asked.failures) &&
      isDeepStrictEqual(regions.names, asked.regions) &&
      most.p99Ms !== undefined,
  )
  expect(cases.map(({ question }) => question.nodes)).toContain(100_000)
})

test.each(['any', 'fastest'] as const)(
  '400 MiB on mixed links are judged where gateways are %s',
  (gateways) => {
    const cases = CASES.filter(
      ({ question, most }) =>
        question.links === MIXED_LINKS && question.bytes === 400 * MIB && most.ofLine !== undefined,
    )
    expect(cases.map(({ question }) => question.gateways)).toContain(gateways)
  },
)

test('what enters a region at the median is judged where it is most, be it one of two', () => {
  const border = (region: string, median: number, max: number) => ({ region, bytes: { median, min: 1, max } })
  const borders = [border('eu', 200, 200), border('ap', 100, 300)]
  expect(intoRegion({ borders, payloadBytes: 100 })).toEqual({ worst: 3, median: 2 })
})
