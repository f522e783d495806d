import { describe, expect, test } from 'vitest'
import { ABROAD_TICKS, deathsOf } from '../../src/sim/planner/deaths.ts'
import { buildFleet } from '../../src/sim/planner/fleet.ts'
import { LargeRelease } from '../../src/sim/planner/large.ts'
import { plan } from '../../src/sim/planner/plan.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  MIXED_LINKS,
  NO_FAILURES,
  type Question,
} from '../../src/sim/planner/question.ts'
import { mixedRegions, publishedRegions } from '../../src/sim/planner/regions.ts'
import { quantileOf, type RunResult } from '../../src/sim/planner/run-result.ts'
import { SmallRelease } from '../../src/sim/planner/small.ts'
import { TICKS_PER_MS } from '../../src/sim/planner/ticks.ts'

const THREE = ['us-east-1', 'eu-west-1', 'ap-northeast-1']
const SIX = [...THREE, 'us-west-2', 'ap-southeast-1', 'sa-east-1']
const MIB = 2 ** 20

const ask = (more: Partial<Question> = {}): Question => ({
  nodes: 300,
  regions: publishedRegions(THREE),
  bytes: 100 * MIB,
  links: EQUAL_LINKS,
  gateways: 'any',
  borderBitsPerSecond: BORDER_BITS_PER_SECOND,
  failures: NO_FAILURES,
  loss: 0,
  seed: 1,
  ...more,
})
const run = (question: Question): RunResult => new LargeRelease(question).run(() => {})
const p99 = ({ timesMs }: RunResult): number => quantileOf(timesMs, 0.99)
const r99 = ({ ofLine }: RunResult): number => quantileOf(ofLine ?? new Float64Array(), 0.99)
const median = (values: readonly number[]): number => quantileOf(Float64Array.from(values).sort(), 0.5)
const lineMs = (bytes: number): number => (bytes * 8) / 1e6
/** In other regions, which a dead gateway of home's keeps waiting. */
const DETECTED_MS = ABROAD_TICKS / TICKS_PER_MS
/** Half of the longest round trip from the origin. */
const FAR_MS = 145.3 / 2

function expectFrugal(result: RunResult, most: { origin: number; region: number; received: number }): void {
  const { payloadBytes, originBytes, enteredBytes, receivedBytesPerNode, controlBytesPerNode } = result
  expect(result.unfinished).toBe(0)
  expect(originBytes / payloadBytes).toBeLessThanOrEqual(most.origin)
  for (const bytes of enteredBytes) expect(bytes / payloadBytes).toBeLessThanOrEqual(most.region)
  expect(receivedBytesPerNode / payloadBytes).toBeLessThanOrEqual(most.received)
  expect(controlBytesPerNode / payloadBytes).toBeLessThanOrEqual(0.003)
}

test.each([
  ['blocks of a quarter of a minute', 2 ** 22],
  ['blocks that take longer than half a minute each', 2 ** 24],
])('a release that takes more than an hour comes to its end, %s', (_, blockBytes) => {
  const links = [{ share: 1, upBitsPerSecond: 2e6, downBitsPerSecond: 2e6 }]
  const question = ask({ nodes: 12, bytes: 2 ** 30, links })
  const { unfinished, timesMs } = new LargeRelease(question, blockBytes).run(() => {})
  expect(unfinished).toBe(0)
  expect(timesMs[0]).toBeGreaterThan(3_600_000)
})

describe('a region so far away that round trips hold up each large block for minutes', () => {
  const regions = mixedRegions(['us-east-1', 'far'], new Map([['far', 2_000]]))

  test('gets all that it waits for', () => {
    const question = ask({ nodes: 20, regions, bytes: 40 * 64 * MIB })
    expect(new LargeRelease(question, 64 * MIB, 150 * 1_024).run(() => {})).toMatchObject({
      unfinished: 0,
      outOfTime: false,
    })
  })

  test('lacks what takes longer than all the time that there is, and that is told', () => {
    const question = ask({ nodes: 2, regions, bytes: 64 * 1_024 * MIB })
    expect(new LargeRelease(question, 512 * MIB, 150 * 1_024).run(() => {})).toMatchObject({
      unfinished: 1,
      outOfTime: true,
    })
  })

  test('and what died with its only holder is no matter of time', () => {
    const failures = { ...NO_FAILURES, originAfterPayloads: 0.5 }
    const { unfinished, outOfTime } = run(ask({ nodes: 4, regions, bytes: 10 * MIB, failures }))
    expect([unfinished, outOfTime]).toEqual([4, false])
  })
})

test.each([100, 300])('%i nodes, 100 MiB, equal links', (nodes) => {
  const result = run(ask({ nodes }))
  expect(p99(result)).toBeLessThanOrEqual(1.15 * lineMs(100 * MIB) + FAR_MS + 200)
  expectFrugal(result, { origin: 1.05, region: 1.05, received: 1.02 })
})

test('six regions, a tree of two', () => {
  const result = run(ask({ regions: publishedRegions(SIX) }))
  expect(r99(result)).toBeLessThanOrEqual(1.6)
  expectFrugal(result, { origin: 1.05, region: 1.05, received: 1.02 })
  // home feeds two of the five others
  expect(result.leftHomeBytes / result.payloadBytes).toBeCloseTo(2, 1)
})

test.each([false, true])(
  'in blocks larger than all that a gateway has under way regions that feed one another end, too; first gateways die: %s',
  (gateway) => {
    const failures = { ...NO_FAILURES, gateway }
    const question = ask({ nodes: 60, regions: publishedRegions(SIX), bytes: 1_800 * MIB, failures })
    for (const seed of [1, 2, 3]) {
      const release = new LargeRelease({ ...question, seed }, 10 * MIB, 150 * 1_024)
      expect(release.run(() => {}).unfinished, `seed ${seed}`).toBe(0)
    }
  },
)

test('what leaves the origin and crosses borders is told with the header that goes before the blocks', () => {
  const question = ask({ nodes: 60, bytes: 16 * 1_024 })
  const { originBytes, enteredBytes, leftHomeBytes, payloadBytes } = run(question)
  const header = new SmallRelease({ ...question, bytes: 0 }).run(() => {})
  expect(header.originBytes).toBeGreaterThanOrEqual(6 * 600)
  expect(originBytes).toBe(payloadBytes + header.originBytes)
  expect(leftHomeBytes).toBe(2 * payloadBytes + header.leftHomeBytes)
  expect(enteredBytes).toEqual(header.enteredBytes.map((bytes) => bytes + payloadBytes))
})

test('mixed links: each against its own line time', () => {
  expect(r99(run(ask({ links: MIXED_LINKS, gateways: 'fastest' })))).toBeLessThanOrEqual(1.7)
})

test('and where gateways are any nodes, slow ones, too', () => {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9]
  const results = seeds.map((seed) => run(ask({ nodes: 100, links: MIXED_LINKS, seed })))
  for (const result of results) expectFrugal(result, { origin: 1.1, region: 1.05, received: 1.02 })
  expect(median(results.map(r99))).toBeLessThanOrEqual(1.7)
})

test('a tenth of the nodes and the first gateway of every region die', () => {
  const calmMs = p99(run(ask()))
  const result = run(ask({ failures: { ...NO_FAILURES, churn: 0.1, gateway: true } }))
  expect(p99(result)).toBeLessThanOrEqual(calmMs + DETECTED_MS + 500)
  expectFrugal(result, { origin: 1.1, region: 1.3, received: 1.05 })
})

test('a gateway of home that dies unseen keeps other regions waiting for as long as the cores wait', () => {
  const question = ask({ failures: { ...NO_FAILURES, gateway: true } })
  const [[died] = [0]] = [...deathsOf(question, buildFleet(question))]
  const dieMs = died / TICKS_PER_MS
  const result = run(question)
  expect(result.unfinished).toBe(0)
  // a third of the nodes are at home
  expect(quantileOf(result.timesMs, 0.3)).toBeLessThan(dieMs + DETECTED_MS)
  expect(quantileOf(result.timesMs, 0.5)).toBeGreaterThan(dieMs + DETECTED_MS)
  expect(p99(result)).toBeLessThan(dieMs + DETECTED_MS + 500)
})

test('where borders bind, the first gateways die while the release travels, too', () => {
  const own = Array.from({ length: 15 }, (_, n) => `r${n}`)
  const regions = mixedRegions(
    ['home', ...own],
    new Map([['home', 0], ...own.map((name) => [name, 40] as const)]),
  )
  const question = ask({ nodes: 160, regions, borderBitsPerSecond: 1e9 })
  const calmMs = quantileOf(run(question).timesMs, 0.5)
  const deaths = [
    ...deathsOf({ ...question, failures: { ...NO_FAILURES, gateway: true } }, buildFleet(question)),
  ]
  expect(deaths).toHaveLength(16)
  for (const [tick] of deaths) expect(tick / TICKS_PER_MS).toBeLessThan(calmMs)
})

test('the origin dies after 1.2 payloads and a tenth of the nodes: everyone alive completes', () => {
  const failures = { ...NO_FAILURES, churn: 0.1, originAfterPayloads: 1.2 }
  for (const nodes of [30, 100])
    for (let seed = 1; seed <= 40; seed++) {
      const result = run(ask({ nodes, seed, failures }))
      expect(result.unfinished, `${nodes} nodes, seed ${seed}`).toBe(0)
      expect(result.originBytes / result.payloadBytes).toBeLessThanOrEqual(1.2)
    }
})

test('nodes that die meanwhile do so while it travels, be that shorter than a moment of the clock', () => {
  const links = [{ share: 1, upBitsPerSecond: 1e10, downBitsPerSecond: 1e10 }]
  const failures = { ...NO_FAILURES, churn: 0.5 }
  const result = run(ask({ nodes: 60, bytes: 16 * 1024, links, failures }))
  // had they been dead from the start, half of the fleet and no more would have been there to get it
  expect(result.timesMs.length + result.unfinished).toBeGreaterThan(33)
})

test('an origin that dies before it has given everything away leaves a fleet without it', () => {
  const failures = { ...NO_FAILURES, originAfterPayloads: 0.5 }
  expect(run(ask({ nodes: 60, bytes: 10 * MIB, failures })).unfinished).toBe(60)
})

test('a run is its seed, in a thread of its own too', async () => {
  const question = ask({ nodes: 60, bytes: 10 * MIB })
  const once = run(question)
  expect(run(question).hash).toBe(once.hash)
  const several = await plan(question, 2, () => {})
  expect(several.hashes[0]).toBe(once.hash)
  expect(several.hashes[1]).not.toBe(once.hash)
})

test('on links of 10 Mbit/s, where every block takes 200 ms, little is said beside the blocks all the same', () => {
  const slow = [{ share: 1, upBitsPerSecond: 1e7, downBitsPerSecond: 1e7 }]
  const result = run(
    ask({ nodes: 12, regions: publishedRegions(['us-east-1']), bytes: 64 * MIB, links: slow }),
  )
  expect(r99(result)).toBeLessThanOrEqual(1.2)
  expectFrugal(result, { origin: 1.1, region: 1.05, received: 1.02 })
})
