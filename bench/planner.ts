/** The fleet simulator against what it must reach, what it costs, and time against fleet size as a plot. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { writePlot } from '../src/cli/plot.ts'
import { type Plan, plan } from '../src/sim/planner/plan.ts'
import type { Question } from '../src/sim/planner/question.ts'
import { CASES, type Case, failing, MIB, question, SIX, SMALL_BYTES, THREE } from './planner-cases.ts'
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
  const worstRegion = Math.max(0, ...found.borders.map(({ bytes }) => bytes.max))
  const calm = before.find(({ name }) => name === most.beyondMs?.name)?.plan.timeMs.p99.median
  const beyond = calm === undefined ? undefined : calm + (most.beyondMs?.ms ?? 0)
  const targets = [
    { what: 'p99, ms (median)', most: most.p99Ms ?? beyond, seen: found.timeMs.p99.median },
    { what: 'p99 over line time (median)', most: most.ofLine, seen: found.ofLineTime?.median ?? Number.NaN },
    { what: 'payloads out of the origin (worst)', most: most.origin, seen: found.originBytes.max / payload },
    { what: 'payloads into a region (worst)', most: most.region, seen: worstRegion / payload },
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
  const ms = (value: number): string => value.toFixed(0)
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
  readonly points: readonly (readonly [number, number])[]
}

async function draw(): Promise<readonly Line[]> {
  const sizes = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
  const line = async (name: string, of: (nodes: number) => Question, upTo: number): Promise<Line> => {
    const points: (readonly [number, number])[] = []
    for (const nodes of sizes.filter((size) => size <= upTo)) {
      const seeds = nodes <= 10_000 ? 5 : nodes <= 100_000 ? 3 : 1
      const { timeMs } = await plan(of(nodes), upTo < 1e6 && nodes > 1_000 ? 1 : seeds, () => {})
      points.push([nodes, Number(timeMs.p99.median.toFixed(1))])
    }
    return { name, points }
  }
  const lines = [
    await line('4 KiB, 3 regions', (nodes) => question(THREE, nodes, SMALL_BYTES), 1e6),
    await line('4 KiB, 6 regions', (nodes) => question(SIX, nodes, SMALL_BYTES), 1e6),
    await line(
      '4 KiB, 3 regions, first gateways dead',
      (nodes) => failing(question(THREE, nodes, SMALL_BYTES), { gateway: true }),
      1e6,
    ),
    await line(
      '100 MiB, 3 regions (839 ms of line time)',
      (nodes) => question(THREE, nodes, 100 * MIB),
      10_000,
    ),
  ]
  await writePlot(PLOT, {
    title: 'Time until 99 % of the nodes have a release, checked',
    subtitle: [
      'simulated, model: abstract; 1 Gbit/s links, published round trips, medians of 1 to 5 seeds',
      'npm run bench -- planner',
    ],
    x: { title: 'nodes', scale: 'log' },
    y: { title: 'time to p99, ms', scale: 'log' },
    series: lines,
    mark: 'points',
  })
  return lines
}

export async function planner({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const judged: Judged[] = []
  for (const asked of CASES.filter(({ long }) => !quick || long !== true))
    judged.push(await judge(asked, quick ? Math.min(asked.seeds, 2) : asked.seeds, judged))
  const costs = COSTS.filter(({ long }) => !quick || !long).map((asked) => ({
    ...asked,
    ...cost(asked.nodes, asked.bytes),
  }))
  const lines = quick ? [] : await draw()
  return {
    about: [
      'simulated, no real node: model "abstract" of docs/simulate.md; home us-east-1, links of 1 Gbit/s, borders of 10 Gbit/s, round trips published for three and six regions',
      'times are p50 / p99 (fastest to slowest seed) / last node, medians over the seeds, from the acceptance by the origin to the checked whole',
      'what the simulator costs is CPU time and greatest resident memory of a process that does nothing else',
      ...(quick ? ['two seeds at most, and no run of minutes: `npm run bench -- planner` has them all'] : []),
    ],
    rows: [
      ...judged.map(rowOf),
      ...costs.map(({ what, seconds, mib, events, cpuSeconds, rssMiB }) => ({
        what: `cost of ${what}`,
        figure: `${cpuSeconds <= seconds && rssMiB <= mib ? 'reached' : '**missed**'}: ${cpuSeconds.toFixed(1)} s of CPU ≤ ${seconds}, ${rssMiB.toFixed(0)} MiB ≤ ${mib}, ${events} events`,
      })),
    ],
    figures: {
      cases: judged.map(({ plan: { curve: _, ...rest }, ...judgedCase }) => ({ ...judgedCase, plan: rest })),
      costs,
      lines,
    },
  }
}
