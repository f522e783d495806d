/** The fleet simulator against what it must reach, what it costs, and time against fleet size as a plot. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { subtitleLines, writePlot } from '../src/cli/plot.ts'
import { agreementText } from '../src/cli/simulate-accuracy.ts'
import { type Plan, plan } from '../src/sim/planner/plan.ts'
import type { Question } from '../src/sim/planner/question.ts'
import { type Agreed, agree, agreedRow, comparedFleet, keepCompared } from './agreement.ts'
import {
  CASES,
  type Case,
  failing,
  intoRegion,
  MIB,
  question,
  SIX,
  SMALL_BYTES,
  THREE,
} from './planner-cases.ts'
import type { Measured, Row } from './results.ts'

const PLOT = join(import.meta.dirname, '../docs/time-to-p99.svg')

interface Judged {
  readonly name: string
  readonly seeds: number
  readonly plan: Plan
  /** Each target that has a number: what was asked, what came, over all seeds. */
  readonly targets: readonly { readonly what: string; readonly most: number; readonly seen: number }[]
  readonly ok: boolean
}

async function judge(asked: Case, seeds: number, before: readonly Judged[]): Promise<Judged> {
  const found = await plan(asked.question, seeds, () => {})
  const { most } = asked
  const payload = found.payloadBytes
  const into = intoRegion(found)
  const calm = before.find(({ name }) => name === most.beyondMs?.name)?.plan.timeMs.p99.median
  const beyond = calm === undefined ? undefined : calm + (most.beyondMs?.ms ?? 0)
  const targets = [
    { what: 'p99, ms (median)', most: most.p99Ms ?? beyond, seen: found.timeMs.p99.median },
    { what: 'p99 over line time (median)', most: most.ofLine, seen: found.ofLineTime?.median ?? Number.NaN },
    { what: 'payloads out of the origin (worst)', most: most.origin, seen: found.originBytes.max / payload },
    { what: 'payloads into a region (worst)', most: most.region, seen: into.worst },
    { what: 'payloads into a region (median)', most: most.regionMedian, seen: into.median },
    {
      what: 'payloads received by a node',
      most: most.received,
      seen: found.receivedBytesPerNode.median / payload,
    },
    { what: 'control share', most: most.controlShare, seen: found.controlBytesPerNode.median / payload },
    { what: 'living nodes without it', most: 0, seen: found.unfinished },
  ].flatMap((target) => (target.most === undefined ? [] : [{ ...target, most: target.most }]))
  return {
    name: asked.name,
    seeds,
    plan: found,
    targets,
    ok: targets.every(({ most: m, seen }) => seen <= m),
  }
}

function rowOf({ name, seeds, plan: found, targets, ok }: Judged): Row {
  const { p50, p99, all } = found.timeMs
  const ms = (value: number): string => (Number.isNaN(value) ? 'not all' : value.toFixed(0))
  const times = `${ms(p50.median)} / ${ms(p99.median)} (${ms(p99.min)} to ${ms(p99.max)}) / ${ms(all.median)} ms`
  const numbers = targets
    .filter(({ what }) => !what.startsWith('p99, ms') && what !== 'living nodes without it')
    .map(({ what, most, seen }) => `${what} ${Number(seen.toFixed(4))} ≤ ${most}`)
  const limit = targets.find(({ what }) => what.startsWith('p99, ms'))?.most
  const target = limit === undefined ? '' : `, p99 ≤ ${ms(limit)}`
  return {
    what: `${name}, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`,
    figure: `${ok ? 'reached' : '**missed**'}: ${times}${target}; ${numbers.join(', ')}; ${found.unfinished} without it`,
  }
}

/** CPU and memory of one run, in a fresh process. */
function cost(nodes: number, bytes: number): { events: number; cpuSeconds: number; rssMiB: number } {
  const script = join(import.meta.dirname, 'planner-cost.ts')
  const { stdout, status } = spawnSync(process.execPath, [script, String(nodes), String(bytes)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the simulation of ${nodes} nodes ended with ${status}`)
  return JSON.parse(stdout) as { events: number; cpuSeconds: number; rssMiB: number }
}

const COSTS = [
  { what: '100,000 nodes, 4 KiB', nodes: 100_000, bytes: SMALL_BYTES, seconds: 10, mib: 1_024, long: false },
  {
    what: '1,000,000 nodes, 4 KiB',
    nodes: 1_000_000,
    bytes: SMALL_BYTES,
    seconds: 60,
    mib: 4_096,
    long: true,
  },
  {
    what: '10,000 nodes × 400 blocks',
    nodes: 10_000,
    bytes: 100 * MIB,
    seconds: 180,
    mib: 4_096,
    long: true,
  },
]

interface Line {
  readonly name: string
  readonly points: readonly (readonly [nodes: number, p99Ms: number])[]
}

const SIZES = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
/** Above, a release in blocks takes minutes. */
const MOST_IN_BLOCKS = 10_000

/** Median p99 by fleet size; one seed where a fleet is large, which varies little by itself. */
async function lineOf(name: string, of: (nodes: number) => Question): Promise<Line> {
  const points: [number, number][] = []
  for (const nodes of SIZES) {
    const asked = of(nodes)
    const blocks = asked.bytes > SMALL_BYTES
    if (blocks && nodes > MOST_IN_BLOCKS) continue
    const { timeMs } = await plan(asked, nodes <= (blocks ? 1_000 : 30_000) ? 3 : 1, () => {})
    points.push([nodes, Number(timeMs.p99.median.toFixed(1))])
  }
  return { name, points }
}

/** Time until 99 % have a release against the size of the fleet. */
async function spreadBySize(): Promise<readonly Line[]> {
  const small = (regions: readonly string[]) => (nodes: number) => question(regions, nodes, SMALL_BYTES)
  return [
    await lineOf('100 MiB in blocks, 3 regions (its line time is 839 ms)', (nodes) =>
      question(THREE, nodes, 100 * MIB),
    ),
    await lineOf('4 KiB, 3 regions, first gateway of each dead', (nodes) =>
      failing(small(THREE)(nodes), { gateway: true }),
    ),
    await lineOf('4 KiB, 6 regions', small(SIX)),
    await lineOf('4 KiB, 3 regions', small(THREE)),
  ]
}

/** Into `docs`. */
export async function draw(lines: readonly Line[], agreed: readonly Agreed[]): Promise<void> {
  await writePlot(PLOT, {
    title: 'Time until 99 % of the nodes have a release, checked',
    subtitle: [
      'simulated, model: abstract (docs/simulate.md); median of 3 seeds, 1 for large fleets',
      'links of 1 Gbit/s, published round trips; npm run bench -- planner',
      ...subtitleLines(
        `accuracy: ${agreementText(agreed.map(comparedFleet))}. Not compared: other fleets, 6 regions, failures`,
      ),
    ],
    x: { title: 'nodes', scale: 'log' },
    y: { title: 'time to p99, ms', scale: 'log' },
    series: lines,
    mark: 'points',
  })
}

/** Of 4 KiB: single fleets are up to a third off at p50, and more where a packet is lost on the way: five say nothing of a tenth. */
const AGREEING_SEEDS = 24

/** @param o.keep is given what was judged before what may yet fail: a child out of memory, say */
export async function planner(o: {
  readonly quick: boolean
  readonly keep: (soFar: Measured) => void
}): Promise<Measured> {
  const { quick } = o
  const judged: Judged[] = []
  for (const asked of CASES.filter(({ long }) => !quick || long !== true))
    judged.push(await judge(asked, quick ? 1 : asked.seeds, judged))
  o.keep(summed(quick, { judged, costs: [], lines: [], agreed: [] }))
  const costs = COSTS.filter(({ long }) => !quick || !long).map((asked) => ({
    ...asked,
    ...cost(asked.nodes, asked.bytes),
  }))
  const agreed = quick
    ? [agree(SMALL_BYTES, 60, 3), agree(MIB, 50, 1)]
    : [
        agree(SMALL_BYTES, 200, AGREEING_SEEDS),
        agree(MIB, 50, 3),
        agree(8 * MIB, 50, 3),
        agree(8 * MIB, 200, 1),
        // So few are bound by the round trips of a border, not by its rate.
        agree(16 * MIB, 3, 3),
      ]
  const lines = quick ? [] : await spreadBySize()
  if (!quick) {
    // Last: the plot in docs and what `simulate` says of its accuracy are of the same run as what is kept.
    await draw(lines, agreed)
    keepCompared(agreed)
  }
  return summed(quick, { judged, costs, lines, agreed })
}

function summed(
  quick: boolean,
  m: {
    readonly judged: readonly Judged[]
    readonly costs: readonly ((typeof COSTS)[number] & ReturnType<typeof cost>)[]
    readonly lines: readonly Line[]
    readonly agreed: readonly Agreed[]
  },
): Measured {
  const { judged, costs, lines, agreed } = m
  return {
    about: [
      'simulated, no real node: model "abstract" of docs/simulate.md; home us-east-1, links of 1 Gbit/s, borders of 10 Gbit/s, round trips published for three and six regions',
      'times are p50 / p99 (fastest to slowest seed) / last node, medians over the seeds, from the acceptance by the origin to the checked whole',
      'what the simulator costs is CPU time and greatest resident memory of a process that does nothing else',
      ...(quick ? ['one seed, and no run of minutes: `npm run bench -- planner` has them all'] : []),
    ],
    rows: [
      ...judged.map(rowOf),
      ...agreed.map(agreedRow),
      ...costs.map(({ what, seconds, mib, events, cpuSeconds, rssMiB }) => ({
        what: `cost of ${what}`,
        figure: `${cpuSeconds <= seconds && rssMiB <= mib ? 'reached' : '**missed**'}: ${cpuSeconds.toFixed(1)} s of CPU ≤ ${seconds}, ${rssMiB.toFixed(0)} MiB ≤ ${mib}, ${events} events`,
      })),
    ],
    figures: {
      cases: judged.map(({ plan: { curve: _, ...rest }, ...judgedCase }) => ({ ...judgedCase, plan: rest })),
      costs,
      lines,
      agreed,
    },
  }
}
