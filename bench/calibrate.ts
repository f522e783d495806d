/**
 * The fleet simulator against real processes: the same releases through both, the simulator with the CPU and hash times
 * measured in the same run. Both in one plot, the error stated for each point.
 */
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { writePlot } from '../src/cli/plot.ts'
import { NO_FAILURES, type Question } from '../src/sim/planner/question.ts'
import { isSmall, runOne, simulatedBlockBytes } from '../src/sim/planner/run-one.ts'
import { quantileOf, type RunResult } from '../src/sim/planner/run-result.ts'
import { BORDER_MS, regionName } from './regional-fleet.ts'
import type { Measured, Row } from './results.ts'
import { spread } from './spread.ts'
import { type Figures, releaseTo, type Scenario } from './wire.ts'

const PLOT = join(import.meta.dirname, '../docs/calibration.svg')
const KIB = 1024
const MIB = 1024 * KIB
const REGIONS = 3
/** The seed's. */
const HOME = regionName(0)
const SEEDS = 9
const BLOCK_BYTES = 256 * KIB
/** More than two cores can encrypt. */
const LOOPBACK_BITS = 10e9

/** What one process of this machine needs, alone. */
interface Host {
  readonly cores: number
  readonly verifyMs: number
  readonly hashBlockMs: number
}

/** What was measured of real processes. */
interface RealPoint {
  readonly processes: number
  readonly bytes: number
  readonly cpuMsPerDelivery: number
  readonly real: Times
  /** Of releases in blocks: beside one message, idle talk weighs more. */
  readonly payloads?: Payloads<{ readonly real: number }>
}

/** And what the model says of the same. */
interface Point extends RealPoint {
  readonly model: Times
  /** Of the model against the real one. */
  readonly errorPercent: { readonly p50: number; readonly p99: number }
  readonly payloads?: Payloads<{ readonly real: number; readonly model: number }>
  /** Of the first seed: another one is another model's. */
  readonly modelHash: string
}

interface Times {
  readonly p50Ms: number
  readonly p99Ms: number
}

interface Payloads<T> {
  readonly seed: T
  /** Into the other regions, the greatest of them. */
  readonly intoRegion: T
}

/** All that a run of this bench keeps. */
export interface Calibration {
  readonly host: Host
  readonly points: readonly (RealPoint & Partial<Pick<Point, 'modelHash'>>)[]
}

interface Modelled {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly seedPayloads: number
  readonly intoRegionPayloads: number
  readonly modelHash: string
}

const medianMs = (work: () => void): number => {
  const times = Array.from({ length: 101 }, () => {
    const fromMs = performance.now()
    work()
    return performance.now() - fromMs
  }).sort((a, b) => a - b)
  return times[50] ?? 0
}

function hostOf(): Host {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const message = Buffer.alloc(600, 1)
  const signature = sign(null, message, privateKey)
  const block = Buffer.alloc(BLOCK_BYTES, 1)
  return {
    cores: cpus().length,
    verifyMs: medianMs(() => void verify(null, message, publicKey, signature)),
    hashBlockMs: medianMs(() => void createHash('sha256').update(block).digest()),
  }
}

/**
 * What the simulator is told of this machine: all processes share its cores, and a delivery takes of them what was
 * measured; each block its part of it, the manifest and the header counted as one each. Loopback holds nothing up.
 */
export function questionOf({ processes, bytes, cpuMsPerDelivery: cpuMs }: RealPoint, host: Host): Question {
  const names = Array.from({ length: REGIONS }, (_, at) => regionName(at))
  const nodes = processes - 1
  const pieces = 2 + Math.ceil(bytes / simulatedBlockBytes(nodes, bytes))
  return {
    nodes,
    bytes,
    regions: {
      names,
      rttMs: names.map((a) => names.map((b) => (a === b ? 0 : 2 * BORDER_MS))),
      source: 'the proxies of this bench',
    },
    links: [{ share: 1, upBitsPerSecond: LOOPBACK_BITS, downBitsPerSecond: LOOPBACK_BITS }],
    gateways: 'any',
    borderBitsPerSecond: LOOPBACK_BITS,
    failures: NO_FAILURES,
    loss: 0,
    seed: 1,
    host: { hopMs: host.verifyMs, hopSpreadMs: 0, blockMs: host.hashBlockMs },
    machine: { cores: host.cores, messageMs: cpuMs, blockMs: cpuMs / pieces },
  }
}

function modelled(asked: Question): Modelled {
  const runs = Array.from({ length: SEEDS }, (_, at) => runOne({ ...asked, seed: at + 1 }, () => {}))
  const ascending = Float64Array.from(runs.flatMap(({ timesMs }) => [...timesMs])).sort()
  const median = (of: (run: RunResult) => number): number => spread(runs.map(of), 2).p50
  return {
    p50Ms: Math.round(quantileOf(ascending, 0.5)),
    p99Ms: Math.round(quantileOf(ascending, 0.99)),
    seedPayloads: median(({ originBytes, payloadBytes }) => originBytes / payloadBytes),
    intoRegionPayloads: median(({ enteredBytes, payloadBytes }) => Math.max(...enteredBytes) / payloadBytes),
    modelHash: runs[0]?.hash ?? '',
  }
}

/** Of bytes as `from→to`, those into any region but home's. */
function intoRegions(payloadsOverBorder: Readonly<Record<string, number>>): number {
  const into = new Map<string, number>()
  for (const [pair, payloads] of Object.entries(payloadsOverBorder)) {
    const to = pair.split('→')[1] ?? ''
    if (to !== HOME) into.set(to, (into.get(to) ?? 0) + payloads)
  }
  return Number(Math.max(...into.values()).toFixed(2))
}

/** @throws Error where a release was not everywhere in time: nothing to tell the model of, or to hold it against */
function realPoint(o: Scenario, figures: Figures): RealPoint {
  const cpuMsPerDelivery = figures.cpuMsPerDeliveryUntilActive
  if (!(cpuMsPerDelivery > 0)) throw new Error('no release was everywhere before the next was due')
  // what never came is later than all that did
  if (figures.missed > 0) throw new Error(`${figures.missed} were replaced before a node ran them`)
  const real = { p50Ms: figures.beyondSeedMs.p50, p99Ms: figures.beyondSeedMs.p99 }
  return {
    ...{ processes: o.nodes + 1, bytes: o.bytes, cpuMsPerDelivery, real },
    ...(!isSmall(o.bytes) && {
      payloads: {
        seed: { real: figures.seedEgressPayloads },
        intoRegion: { real: intoRegions(figures.payloadsOverBorder) },
      },
    }),
  }
}

function against(point: RealPoint, host: Host): Point {
  const { seedPayloads, intoRegionPayloads, modelHash, ...model } = modelled(questionOf(point, host))
  const { processes, bytes, cpuMsPerDelivery, real, payloads } = point
  const off = (said: number, was: number): number => Math.round((said / was - 1) * 100)
  return {
    ...{ processes, bytes, cpuMsPerDelivery, real, model, modelHash },
    errorPercent: { p50: off(model.p50Ms, real.p50Ms), p99: off(model.p99Ms, real.p99Ms) },
    ...(payloads && {
      payloads: {
        seed: { real: payloads.seed.real, model: seedPayloads },
        intoRegion: { real: payloads.intoRegion.real, model: intoRegionPayloads },
      },
    }),
  }
}

const sizeText = (bytes: number): string => (bytes < MIB ? `${bytes / KIB} KiB` : `${bytes / MIB} MiB`)

const whatOf = (processes: number, bytes: number): string =>
  `${processes} processes, ${REGIONS} regions, ${sizeText(bytes)}: p50 / p99`

function rowOf(point: Point): Row {
  const { processes, bytes, real, model, errorPercent, cpuMsPerDelivery, payloads } = point
  const sign = (percent: number): string => `${percent > 0 ? '+' : ''}${percent} %`
  return {
    what: whatOf(processes, bytes),
    figure: `real ${real.p50Ms} / ${real.p99Ms} ms, abstract model ${model.p50Ms} / ${model.p99Ms} ms: ${sign(errorPercent.p50)} / ${sign(errorPercent.p99)}; ${cpuMsPerDelivery} ms of CPU for each delivery${payloadsText(payloads)}`,
  }
}

const payloadsText = (payloads: Point['payloads']): string =>
  payloads === undefined
    ? ''
    : `; payloads out of the seed ${payloads.seed.real}, model ${payloads.seed.model}, into a region at most ${payloads.intoRegion.real}, model ${payloads.intoRegion.model}`

async function draw(points: readonly Point[]): Promise<void> {
  const sizes = [...new Set(points.map(({ bytes }) => bytes))]
  const line = (bytes: number, of: 'real' | 'model') =>
    points
      .filter((point) => point.bytes === bytes)
      .map((point) => [point.processes, point[of].p99Ms] as const)
  await writePlot(PLOT, {
    title: 'Time until 99 % of the nodes run a release: real processes and the model',
    subtitle: [
      'points: real processes on one machine, whose cores they share; three regions, 80 ms apart by proxies;',
      'lines: model abstract with the CPU measured in the same run; npm run bench -- calibrate',
    ],
    x: { title: 'processes', scale: 'linear' },
    y: { title: 'time to p99, ms', scale: 'log' },
    series: sizes.flatMap((bytes) => [
      { name: `${sizeText(bytes)}, model`, points: line(bytes, 'model') },
      { name: `${sizeText(bytes)}, real`, points: line(bytes, 'real'), marksOnly: true },
    ]),
    mark: 'points',
  })
}

const scenarios = (quick: boolean): readonly Scenario[] =>
  (quick ? [9] : [9, 29, 59]).flatMap((nodes) =>
    (quick
      ? [{ bytes: 2 * KIB, releases: 8, gapMs: 600 }]
      : [
          { bytes: 2 * KIB, releases: 20, gapMs: 1_000 },
          { bytes: MIB, releases: 5, gapMs: 4_000 },
          { bytes: 8 * MIB, releases: 3, gapMs: 15_000 },
        ]
    )
      // 60 processes with 8 MiB each take minutes of two cores for each release.
      .filter(({ bytes }) => bytes < 8 * MIB || nodes < 59)
      .map((o) => ({ ...o, nodes, regions: REGIONS, gapMs: Math.ceil((o.gapMs * (nodes + 1)) / 10) })),
  )

export async function calibrate(o: {
  readonly quick: boolean
  readonly keep: (soFar: Measured) => void
}): Promise<Measured> {
  const host = hostOf()
  const points: Point[] = []
  const failed: Row[] = []
  for (const scenario of scenarios(o.quick)) {
    try {
      points.push(against(realPoint(scenario, await releaseTo(scenario)), host))
    } catch (error) {
      // sixty processes may be more than this machine carries; what it did carry is worth having
      process.exitCode = 1
      failed.push({
        what: whatOf(scenario.nodes + 1, scenario.bytes),
        figure: `failed: ${(error as Error).message}`,
      })
    }
    o.keep(summed(points, failed, host))
  }
  if (new Set(points.map(({ processes }) => processes)).size > 1) await draw(points)
  return summed(points, failed, host)
}

/**
 * The model's half anew, of what an earlier run measured of real processes; drawn as well.
 * @param failed the rows of what that run could not measure
 */
export async function modelAnew({ host, points }: Calibration, failed: readonly Row[]): Promise<Measured> {
  const anew = points.map((point) => against(point, host))
  await draw(anew)
  return summed(anew, failed, host)
}

function summed(points: readonly Point[], failed: readonly Row[], host: Host): Measured {
  const worst = (q: 'p50' | 'p99'): number =>
    Math.max(...points.map(({ errorPercent }) => Math.abs(errorPercent[q])))
  return {
    about: [
      'real: the processes and proxies of the bench wire, from the acknowledgement by the seed to active on each node but the seed',
      `model abstract of docs/simulate.md, ${SEEDS} seeds, the same regions; CPU of each delivery until the last node ran the release, proxies included and idle work taken off, and hash and signature times from this very run`,
      'all processes share the cores, which take work first come, first served in the model: each delivery, or header, manifest or block of it, what it took of them in this run',
    ],
    rows: [
      ...points.map(rowOf),
      ...failed,
      ...(points.length === 0
        ? []
        : [
            { what: 'greatest error of a point, p50 / p99', figure: `${worst('p50')} % / ${worst('p99')} %` },
          ]),
      {
        what: 'one signature checked · one block of 256 KiB hashed',
        figure: `${host.verifyMs.toFixed(2)} ms · ${host.hashBlockMs.toFixed(2)} ms`,
      },
    ],
    figures: { host, points },
  }
}
