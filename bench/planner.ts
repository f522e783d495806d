/** The fleet simulator against what it must reach, what it costs, and time against fleet size as a plot. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { writePlot } from '../src/cli/plot.ts'
import { type Agreement, BLOCKS_AGREEMENT, GOSSIP_AGREEMENT } from '../src/sim/planner/agreement.ts'
import { CoreRelease } from '../src/sim/planner/core-release.ts'
import { type Plan, plan } from '../src/sim/planner/plan.ts'
import type { Question } from '../src/sim/planner/question.ts'
import { runOne } from '../src/sim/planner/run-one.ts'
import { quantileOf, type RunResult } from '../src/sim/planner/run-result.ts'
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
  const medians = found.borders.map(({ bytes }) => bytes.median).sort((a, b) => a - b)
  const medianRegion = medians[Math.floor((medians.length - 1) / 2)] ?? 0
  const calm = before.find(({ name }) => name === most.beyondMs?.name)?.plan.timeMs.p99.median
  const beyond = calm === undefined ? undefined : calm + (most.beyondMs?.ms ?? 0)
  const targets = [
    { what: 'p99, ms (median)', most: most.p99Ms ?? beyond, seen: found.timeMs.p99.median },
    { what: 'p99 over line time (median)', most: most.ofLine, seen: found.ofLineTime?.median ?? Number.NaN },
    { what: 'payloads out of the origin (worst)', most: most.origin, seen: found.originBytes.max / payload },
    { what: 'payloads into a region (worst)', most: most.region, seen: worstRegion / payload },
    { what: 'payloads into a region (median)', most: most.regionMedian, seen: medianRegion / payload },
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

/** Time until 99 % have a release against the size of the fleet, into `docs`. */
export async function draw(): Promise<readonly Line[]> {
  const small = (regions: readonly string[]) => (nodes: number) => question(regions, nodes, SMALL_BYTES)
  const lines = [
    await lineOf('100 MiB in blocks, 3 regions (its line time is 839 ms)', (nodes) =>
      question(THREE, nodes, 100 * MIB),
    ),
    await lineOf('4 KiB, 3 regions, first gateway of each dead', (nodes) =>
      failing(small(THREE)(nodes), { gateway: true }),
    ),
    await lineOf('4 KiB, 6 regions', small(SIX)),
    await lineOf('4 KiB, 3 regions', small(THREE)),
  ]
  await writePlot(PLOT, {
    title: 'Time until 99 % of the nodes have a release, checked',
    subtitle: [
      'simulated, model: abstract (docs/simulate.md); median of 3 seeds, 1 for large fleets',
      'links of 1 Gbit/s, published round trips; npm run bench -- planner',
      `against the program’s own state machines, on simulated links too, ${agreementText()}`,
    ],
    x: { title: 'nodes', scale: 'log' },
    y: { title: 'time to p99, ms', scale: 'log' },
    series: lines,
    mark: 'points',
  })
  return lines
}

const offText = ({ nodes, p50Percent, p99Percent }: Agreement): string =>
  `and ${nodes} nodes: ${p50Percent} % off at p50, ${p99Percent} % at p99`

const agreementText = (): string =>
  `4 KiB ${offText(GOSSIP_AGREEMENT)}; 1 to 8 MiB ${offText(BLOCKS_AGREEMENT)}`

/** The two models' times at one share of the nodes: medians over the seeds. */
interface Compared {
  readonly coreMs: number
  readonly abstractMs: number
  /** The abstract model's share off, fleet by fleet: the median, and the quartiles around it. */
  readonly off: number
  readonly offFrom: number
  readonly offTo: number
}

interface Agreed {
  readonly bytes: number
  readonly nodes: number
  readonly seeds: number
  readonly p50: Compared
  readonly p99: Compared
  readonly originCopies: number
}

/** Of 4 KiB: single fleets are up to a third off at p50, and more where a packet is lost on the way: five say nothing of a tenth. */
const AGREEING_SEEDS = 24

/** The product's own cores beside the abstract model, the same fleets. */
function agree(bytes: number, nodes: number, seeds: number): Agreed {
  const asked = Array.from({ length: seeds }, (_, n) => ({
    ...question(THREE, nodes, bytes),
    seed: n + 1,
  }))
  const cores = asked.map((one) => new CoreRelease(one).run())
  const models = asked.map((one) => runOne(one, () => {}))
  const originCopies = over(
    cores.map(({ originBytes, payloadBytes }) => originBytes / payloadBytes),
    0.5,
  )
  return {
    ...{ bytes, nodes, seeds, originCopies },
    ...{ p50: compare(cores, models, 0.5), p99: compare(cores, models, 0.99) },
  }
}

function compare(cores: readonly RunResult[], models: readonly RunResult[], q: number): Compared {
  const coresMs = cores.map(({ timesMs }) => quantileOf(timesMs, q))
  const modelsMs = models.map(({ timesMs }) => quantileOf(timesMs, q))
  const off = modelsMs.map((ms, at) => ms / (coresMs[at] as number) - 1)
  return {
    ...{ coreMs: over(coresMs, 0.5), abstractMs: over(modelsMs, 0.5) },
    ...{ off: over(off, 0.5), offFrom: over(off, 0.25), offTo: over(off, 0.75) },
  }
}

const over = (values: readonly number[], q: number): number => quantileOf(Float64Array.from(values).sort(), q)

function agreedRow({ bytes, nodes, seeds, p50, p99, originCopies }: Agreed): Row {
  const percent = (share: number): string => (share * 100).toFixed(1)
  const offText = ({ off, offFrom, offTo }: Compared): string =>
    seeds === 1
      ? `${percent(off)} %`
      : `${percent(off)} % (quartiles ${percent(offFrom)} and ${percent(offTo)})`
  const ok = [p50, p99].every(({ off }) => Math.abs(off) <= 0.1)
  return {
    what: `agreement: ${bytes < MIB ? '4 KiB' : `${bytes / MIB} MiB`}, ${nodes} nodes, 3 regions, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}, p50 and p99 within 10 %`,
    figure: `${ok ? 'reached' : '**missed**'}: core ${p50.coreMs} / ${p99.coreMs} ms, abstract ${p50.abstractMs} / ${p99.abstractMs} ms: ${offText(p50)} and ${offText(p99)} off; ${Number(originCopies.toFixed(4))} copies out of the origin's core`,
  }
}

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
      ]
  // Last: the plot in docs is of the same run as what is kept.
  const lines = quick ? [] : await draw()
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
