import { expect, test } from 'vitest'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  type Failures,
  LOSS,
  NO_FAILURES,
  type Question,
} from '../../src/sim/planner/question.ts'
import { publishedRegions } from '../../src/sim/planner/regions.ts'
import { quantileOf, type RunResult } from '../../src/sim/planner/run-result.ts'
import { SmallRelease } from '../../src/sim/planner/small.ts'

const THREE = ['us-east-1', 'eu-west-1', 'ap-northeast-1']
const SIX = [...THREE, 'us-west-2', 'ap-southeast-1', 'sa-east-1']

const ask = (regions: readonly string[], seed: number, failures: Failures = NO_FAILURES): Question => ({
  nodes: 2_000,
  regions: publishedRegions(regions),
  bytes: 3_500,
  links: EQUAL_LINKS,
  gateways: 'any',
  borderBitsPerSecond: BORDER_BITS_PER_SECOND,
  failures,
  loss: LOSS,
  seed,
})
const run = (question: Question): RunResult => new SmallRelease(question).run(() => {})
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const p99 = ({ timesMs }: RunResult): number => quantileOf(timesMs, 0.99)
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const SEEDS = [1, 2, 3, 4, 5]

test.each([
  { regions: THREE, failures: NO_FAILURES, atMostMs: 145.3 / 2 + 80 },
  { regions: SIX, failures: NO_FAILURES, atMostMs: 216.7 / 2 + 80 },
  { regions: THREE, failures: { ...NO_FAILURES, gateway: true }, atMostMs: 350 },
  { regions: SIX, failures: { ...NO_FAILURES, gateway: true }, atMostMs: 450 },
])('$regions.length regions, $failures: p99 within $atMostMs ms', ({ regions, failures, atMostMs }) => {
  const results = SEEDS.map((seed) => run(ask(regions, seed, failures)))
  expect(median(results.map(p99))).toBeLessThanOrEqual(atMostMs)
  for (const result of results) {
    expect(result.unfinished).toBe(0)
    expect(result.originBytes / result.payloadBytes).toBeLessThanOrEqual(8)
    expect(result.receivedBytesPerNode / result.payloadBytes).toBeLessThanOrEqual(2.2)
    for (const entered of result.enteredBytes) expect(entered / result.payloadBytes).toBeLessThanOrEqual(2)
    // a release crosses from home alone
    expect(result.leftHomeBytes).toBe(sum(result.enteredBytes))
  }
  expect(
    median(
      results.flatMap(({ enteredBytes, payloadBytes }) => enteredBytes.map((bytes) => bytes / payloadBytes)),
    ),
  ).toBe(1)
})

test('a tenth of the gateways take a wrong rank: each that takes itself for the first costs a copy', () => {
  const most = (result: RunResult): number => Math.max(...result.enteredBytes) / result.payloadBytes
  const runs = Array.from({ length: 50 }, (_, at) => ({
    calm: run(ask(SIX, at + 1)),
    wrong: run(ask(SIX, at + 1, { ...NO_FAILURES, wrongRank: 0.1 })),
  }))
  for (const { wrong } of runs) expect(wrong.unfinished).toBe(0)
  // two of home's seven others do so in two fleets of a hundred
  expect(runs.filter(({ wrong }) => most(wrong) > 2).length).toBeLessThanOrEqual(2)
  expect(Math.max(...runs.map(({ wrong }) => most(wrong)))).toBeLessThanOrEqual(3)
  // a wrong rank is felt where two of home's gateways push, or none does
  expect(runs.filter(({ calm, wrong }) => most(wrong) > most(calm)).length).toBeGreaterThan(0)
  expect(runs.filter(({ calm, wrong }) => p99(wrong) > p99(calm) + 40).length).toBeGreaterThan(0)
  expect(median(runs.map(({ wrong }) => p99(wrong)))).toBeLessThanOrEqual(450)
})

test('a tenth of the nodes and every first gateway die: everyone alive has it', () => {
  for (const seed of SEEDS)
    expect(run(ask(THREE, seed, { ...NO_FAILURES, churn: 0.1, gateway: true })).unfinished).toBe(0)
})

test('a run is its seed', () => {
  const once = run(ask(THREE, 7))
  expect(run(ask(THREE, 7)).hash).toBe(once.hash)
  expect(run(ask(THREE, 8)).hash).not.toBe(once.hash)
})
