/**
 * The fleet simulator against real processes: the same releases through both, the simulator with the CPU and hash times
 * measured in the same run. Both in one plot, the error stated for each point.
 */
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { writePlot } from '../src/cli/plot.ts'
import { EQUAL_LINKS, NO_FAILURES, type Question } from '../src/sim/planner/question.ts'
import { runOne } from '../src/sim/planner/run-one.ts'
import { quantileOf } from '../src/sim/planner/run-result.ts'
import type { Measured, Row } from './results.ts'
import { BORDER_MS, type Figures, releaseTo, type Scenario } from './wire.ts'

const PLOT = join(import.meta.dirname, '../docs/calibration.svg')
const KIB = 1024
const MIB = 1024 * KIB
const REGIONS = 3
const SEEDS = 9
const BLOCK_BYTES = 256 * KIB

/** What one process of this machine needs, alone. */
interface Host {
  readonly cores: number
  readonly verifyMs: number
  readonly hashBlockMs: number
}

interface Point {
  readonly processes: number
  readonly bytes: number
  readonly cpuMsPerDelivery: number
  readonly real: { readonly p50Ms: number; readonly p99Ms: number }
  readonly model: { readonly p50Ms: number; readonly p99Ms: number }
  /** Of the model against the real one. */
  readonly errorPercent: { readonly p50: number; readonly p99: number }
  readonly missed: number
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
 * What the simulator is told of this machine. All processes share its cores, so that what one delivery costs in CPU
 * takes `nodes / cores` times as long while all of them receive: a link of that rate for a release in blocks; for one of
 * a single message the hop's processing, while one region works at a time.
 */
function questionOf({ nodes, bytes }: Scenario, cpuMs: number, host: Host): Question {
  const sharedMs = (cpuMs * nodes) / host.cores
  const bitsPerSecond = Math.min(EQUAL_LINKS[0]?.downBitsPerSecond ?? 1e9, (bytes * 8_000) / sharedMs)
  const small = bytes < 14_000
  const link = { share: 1, upBitsPerSecond: bitsPerSecond, downBitsPerSecond: bitsPerSecond }
  const names = Array.from({ length: REGIONS }, (_, at) => `region-${at + 1}`)
  const hopMs = Math.max(host.verifyMs, sharedMs / REGIONS)
  return {
    nodes,
    bytes,
    regions: {
      names,
      rttMs: names.map((a) => names.map((b) => (a === b ? 0 : 2 * BORDER_MS))),
      source: 'the proxies of this bench',
    },
    links: small ? EQUAL_LINKS : [link],
    gateways: 'any',
    borderBitsPerSecond: 10e9,
    failures: NO_FAILURES,
    loss: 0,
    seed: 1,
    host: { hopMs, hopSpreadMs: hopMs / 2, blockMs: host.hashBlockMs },
  }
}

function modelled(asked: Question): { readonly p50Ms: number; readonly p99Ms: number } {
  const times: number[] = []
  for (let seed = 1; seed <= SEEDS; seed += 1) times.push(...runOne({ ...asked, seed }, () => {}).timesMs)
  const ascending = Float64Array.from(times).sort()
  return { p50Ms: Math.round(quantileOf(ascending, 0.5)), p99Ms: Math.round(quantileOf(ascending, 0.99)) }
}

function pointOf(o: Scenario, figures: Figures, host: Host): Point {
  const cpuMsPerDelivery = figures.netCpuMsPerDelivery
  const real = { p50Ms: figures.fromAcknowledgementMs.p50, p99Ms: figures.fromAcknowledgementMs.p99 }
  const model = modelled(questionOf(o, cpuMsPerDelivery, host))
  const off = (said: number, was: number): number => Math.round((said / was - 1) * 100)
  return {
    ...{ processes: o.nodes + 1, bytes: o.bytes, cpuMsPerDelivery, real, model },
    errorPercent: { p50: off(model.p50Ms, real.p50Ms), p99: off(model.p99Ms, real.p99Ms) },
    missed: figures.missed,
  }
}

const sizeText = (bytes: number): string => (bytes < MIB ? `${bytes / KIB} KiB` : `${bytes / MIB} MiB`)

function rowOf({ processes, bytes, real, model, errorPercent, cpuMsPerDelivery, missed }: Point): Row {
  const sign = (percent: number): string => `${percent > 0 ? '+' : ''}${percent} %`
  return {
    what: `${processes} processes, 3 regions, ${sizeText(bytes)}: p50 / p99`,
    figure: `real ${real.p50Ms} / ${real.p99Ms} ms, abstract model ${model.p50Ms} / ${model.p99Ms} ms: ${sign(errorPercent.p50)} / ${sign(errorPercent.p99)}; ${cpuMsPerDelivery} ms of CPU for each delivery${missed === 0 ? '' : `; ${missed} replaced before a node ran them`}`,
  }
}

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
  for (const scenario of scenarios(o.quick)) {
    points.push(pointOf(scenario, await releaseTo(scenario), host))
    o.keep(summed(points, host))
  }
  if (new Set(points.map(({ processes }) => processes)).size > 1) await draw(points)
  return summed(points, host)
}

function summed(points: readonly Point[], host: Host): Measured {
  const worst = (q: 'p50' | 'p99'): number =>
    Math.max(...points.map(({ errorPercent }) => Math.abs(errorPercent[q])))
  return {
    about: [
      'real: the processes and proxies of the bench wire, from the acknowledgement by the seed to active on each node',
      `model abstract of docs/simulate.md, ${SEEDS} seeds, the same regions; CPU of each delivery, proxies included and idle work taken off, and hash and signature times from this very run`,
      'all processes share the cores, which the model is told as a slower link (blocks) or a longer hop (one message)',
    ],
    rows: [
      ...points.map(rowOf),
      { what: 'greatest error of a point, p50 / p99', figure: `${worst('p50')} % / ${worst('p99')} %` },
      {
        what: 'one signature checked · one block of 256 KiB hashed',
        figure: `${host.verifyMs.toFixed(2)} ms · ${host.hashBlockMs.toFixed(2)} ms`,
      },
    ],
    figures: { host, points },
  }
}
