/** What the fleet simulator is asked, and what must come of it. */
import { COMPARED_REGIONS } from '../src/sim/planner/agreement.ts'
import type { Plan } from '../src/sim/planner/plan.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  type Failures,
  LOSS,
  MIXED_LINKS,
  NO_FAILURES,
  type Question,
} from '../src/sim/planner/question.ts'
import { publishedRegions } from '../src/sim/planner/regions.ts'

export const THREE = COMPARED_REGIONS
export const SIX = [...THREE, 'us-west-2', 'ap-southeast-1', 'sa-east-1']
export const KIB = 2 ** 10
export const MIB = 2 ** 20
/** With its envelope 4 KiB. */
export const SMALL_BYTES = 4 * KIB - 600

export const question = (regions: readonly string[], nodes: number, bytes: number): Question => ({
  ...{ nodes, bytes, regions: publishedRegions(regions), links: EQUAL_LINKS, gateways: 'any', seed: 1 },
  ...{ borderBitsPerSecond: BORDER_BITS_PER_SECOND, failures: NO_FAILURES, loss: LOSS },
})

export const failing = (asked: Question, failures: Partial<Failures>): Question => ({
  ...asked,
  failures: { ...NO_FAILURES, ...failures },
})

/** Half of the longest round trip from home. */
const farMs = (regions: readonly string[]): number =>
  Math.max(...(publishedRegions(regions).rttMs[0] ?? [])) / 2
const lineMs = (bytes: number): number => (bytes * 8) / 1e6

export interface Case {
  readonly name: string
  readonly question: Question
  readonly seeds: number
  /** At most: of p99 in ms, of p99 over the own line time, payloads out of the origin, into the worst region, received. */
  readonly most: {
    readonly p99Ms?: number
    readonly ofLine?: number
    readonly origin?: number
    readonly region?: number
    /** The same of the median seed, in the region where that is most. */
    readonly regionMedian?: number
    readonly received?: number
    readonly controlShare?: number
    /** Beyond the p99 of the case of this name. */
    readonly beyondMs?: { readonly name: string; readonly ms: number }
  }
  /** Too long for `--quick`. */
  readonly long?: boolean
}

/** Medians of 5 to 9 differ by a tenth: whether a packet is lost at a border, and who ranks first, is drawn. */
const SMALL_SEEDS = 41
const SMALL = { origin: 8, region: 2, regionMedian: 1, received: 2.2 }
const LARGE = { origin: 1.05, region: 1.1, regionMedian: 1.05, received: 1.02, controlShare: 0.003 }
const BROKEN = { origin: 1.1, region: 1.3, received: 1.05, controlShare: 0.003 }
/** Were silent deaths found out after half a second everywhere: other regions take longer, and that is not forgiven. */
const AFTER_DEATH_MS = 500 + 500
const MIXED = { links: MIXED_LINKS, gateways: 'fastest' } as const

const small = (regions: readonly string[], nodes: number): Question => question(regions, nodes, SMALL_BYTES)
const large = (regions: readonly string[], nodes: number, mib: number): Question =>
  question(regions, nodes, mib * MIB)
const largeMs = (mib: number): number => 1.15 * lineMs(mib * MIB) + farMs(THREE) + 200

export const CASES: readonly Case[] = [
  ...[100, 1_000, 10_000, 100_000].flatMap((nodes) =>
    [THREE, SIX].map((regions) => ({
      name: `4 KiB, ${nodes} nodes, ${regions.length} regions`,
      question: small(regions, nodes),
      seeds: SMALL_SEEDS,
      most: { ...SMALL, p99Ms: farMs(regions) + 80 },
      long: nodes === 100_000,
    })),
  ),
  ...[10_000, 100_000].flatMap((nodes) =>
    [THREE, SIX].map((regions) => ({
      name: `4 KiB, ${nodes} nodes, ${regions.length} regions, first gateway of each dead`,
      question: failing(small(regions, nodes), { gateway: true }),
      seeds: SMALL_SEEDS,
      most: { ...SMALL, regionMedian: 2, p99Ms: regions === THREE ? 350 : 450 },
      long: nodes === 100_000,
    })),
  ),
  {
    name: '4 KiB, 10000 nodes, 6 regions, a tenth of the gateways take a wrong rank',
    question: failing(small(SIX, 10_000), { wrongRank: 0.1 }),
    // In one of four a gateway of home pushes that should not, or the one that should does not.
    seeds: 40,
    most: { ...SMALL, regionMedian: 2 },
  },
  ...[100, 10].flatMap((mib) =>
    [100, 1_000, 10_000].map((nodes) => ({
      name: `${mib} MiB, ${nodes} nodes`,
      question: large(THREE, nodes, mib),
      seeds: nodes === 10_000 ? 5 : 3,
      most: { ...LARGE, p99Ms: largeMs(mib) },
      long: nodes === 10_000,
    })),
  ),
  {
    name: '100 MiB, 300 nodes',
    question: large(THREE, 300, 100),
    seeds: 5,
    most: { ...LARGE, p99Ms: largeMs(100) },
  },
  {
    name: '400 MiB, 1000 nodes',
    question: large(THREE, 1_000, 400),
    seeds: 1,
    most: { ...LARGE, ofLine: 1.2 },
    long: true,
  },
  {
    name: '3 GiB, 100 nodes',
    question: large(THREE, 100, 3_072),
    seeds: 1,
    most: { ...LARGE, ofLine: 1.2 },
    long: true,
  },
  {
    name: '100 MiB, 1000 nodes, 6 regions, tree of 2',
    question: large(SIX, 1_000, 100),
    seeds: 3,
    most: { ...LARGE, ofLine: 1.6 },
  },
  {
    name: '100 MiB, 300 nodes, 6 regions, tree of 2',
    question: large(SIX, 300, 100),
    seeds: 5,
    most: { ...LARGE, ofLine: 1.6 },
  },
  {
    name: '100 MiB, 1000 nodes, mixed links, fast gateways',
    question: { ...large(THREE, 1_000, 100), ...MIXED },
    seeds: 3,
    most: { ...LARGE, ofLine: 1.7 },
  },
  {
    name: '400 MiB, 300 nodes, mixed links, fast gateways',
    question: { ...large(THREE, 300, 400), ...MIXED },
    seeds: 3,
    most: { ...LARGE, ofLine: 1.35 },
    long: true,
  },
  {
    name: '100 MiB, 1000 nodes, mixed links, any gateways',
    question: { ...large(THREE, 1_000, 100), links: MIXED_LINKS },
    seeds: 3,
    most: { ...LARGE, ofLine: 1.7 },
  },
  {
    name: '400 MiB, 300 nodes, mixed links, any gateways',
    question: { ...large(THREE, 300, 400), links: MIXED_LINKS },
    seeds: 3,
    most: { ...LARGE, ofLine: 1.35 },
    long: true,
  },
  ...[THREE, SIX].map((regions) => ({
    name: `100 MiB, 300 nodes, ${regions.length} regions, a tenth and the first gateway of each die`,
    question: failing(large(regions, 300, 100), { churn: 0.1, gateway: true }),
    seeds: 5,
    most: {
      ...BROKEN,
      beyondMs: {
        name: regions === THREE ? '100 MiB, 300 nodes' : '100 MiB, 300 nodes, 6 regions, tree of 2',
        ms: AFTER_DEATH_MS,
      },
    },
  })),
  ...[30, 100, 1_000].map((nodes) => ({
    name: `100 MiB, ${nodes} nodes, the origin dies after 1.2 payloads and a tenth of the nodes`,
    question: failing(large(THREE, nodes, 100), { churn: 0.1, originAfterPayloads: 1.2 }),
    seeds: nodes === 1_000 ? 5 : 40,
    // What a fetcher was given that then died is given once more; at 1.2 payloads it is over.
    most: { ...BROKEN, origin: 1.2 },
  })),
]

/** Payloads over the border into one region: what the worst seed saw, and the median of the region where that is most. */
export function intoRegion({ borders, payloadBytes }: Pick<Plan, 'borders' | 'payloadBytes'>): {
  readonly worst: number
  readonly median: number
} {
  return {
    worst: Math.max(0, ...borders.map(({ bytes }) => bytes.max)) / payloadBytes,
    median: Math.max(0, ...borders.map(({ bytes }) => bytes.median)) / payloadBytes,
  }
}
