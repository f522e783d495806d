/**
 * Releases to a fleet of real processes: from acknowledgement and from signing to active on every node, bytes and CPU;
 * on one network, or in regions with wide-area links between them.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { RealFleet, type RealNode } from '../test/e2e/real-fleet.ts'
import type { Border, Crossings } from './border.ts'
import { Arrivals } from './crowd-of-nodes.ts'
import { total } from './metrics.ts'
import { cpuSeconds, pidOf } from './processes.ts'
import { BORDER_MS, type Shape, type StartedFleet, start } from './regional-fleet.ts'
import { type Arrived, arrivals, type Onlooker, type Sent, send } from './release-stream.ts'
import type { Measured, Row } from './results.ts'
import { line, type Spread, spread } from './spread.ts'
import { tcpFanOut } from './tcp-fan-out.ts'

/** Manifest page and envelope beside the content. */
const ENVELOPE_BYTES = 700
const DEADLINE_MS = 120_000
/** So long the next release waits for the last node to run this one, if that is longer than the gap. */
const EVERYWHERE_MS = 60_000
const IDLE_MS = 5_000
/** For each node, before the first release. */
const SETTLE_MS = 500

export interface Scenario extends Shape {
  /** Content of one release: one file of random bytes, so that nothing of it is there already. */
  readonly bytes: number
  readonly releases: number
  /** Between an acknowledgement and the next release, so that no release replaces another before it is seen. */
  readonly gapMs: number
}

export interface Figures extends Scenario {
  readonly fromAcknowledgementMs: Spread
  /** The same of all but the seed, which has a release as it acknowledges it. */
  readonly beyondSeedMs: Spread
  readonly fromSigningMs: Spread
  /** Of all nodes' releases; each node did reach the last one, or there is no result. */
  readonly missed: number
  /** What the seed sent for a release, over the release's bytes. */
  readonly seedEgressPayloads: number
  /** What the whole fleet sent, over the bytes that arrived at its nodes. */
  readonly sentPerDeliveredByte: number
  readonly cpuMsPerDelivery: number
  /**
   * Until the last node runs the release, with that of this process, whose proxies carry every byte between nodes, and
   * without what all need idly: the median release.
   */
  readonly cpuMsPerDeliveryUntilActive: number
  /** For each release, over its bytes; empty where there is one region. */
  readonly payloadsOverBorder: Readonly<Record<string, number>>
  /** The whole fleet, before the first release. */
  readonly idleSentBytesPerSecond: number
  readonly bareTcpMs: Spread
  readonly bareTcpMissed: number
  /** p99 from signing over p99 of the bare fan-out, which knows no borders. */
  readonly ratioToFloor: number
}

/** What a release cost until the last node ran it. */
interface Spent {
  readonly cpuS: number
  readonly tookMs: number
}

const allCpuS = (nodes: readonly RealNode[]): number => {
  const { user, system } = process.cpuUsage()
  return sum(nodes.map((node) => cpuSeconds(pidOf(node)))) + (user + system) / 1e6
}

/** Reads CPU as a release begins and as the last node says in its log that it runs it; not of one that comes too late. */
function costOf(nodes: readonly RealNode[]): { onlooker: Onlooker; spent: readonly Spent[] } {
  const logs = new Arrivals()
  for (const node of nodes) logs.listen(node.process)
  const spent: Spent[] = []
  let from = { cpuS: 0, ms: 0 }
  const before = (): void => {
    from = { cpuS: allCpuS(nodes), ms: performance.now() }
  }
  const after = async ({ release }: Sent): Promise<void> => {
    const began = from
    const cost = (): Spent => ({ cpuS: allCpuS(nodes) - began.cpuS, tookMs: performance.now() - began.ms })
    await logs.of(release, nodes.length, EVERYWHERE_MS).then(
      () => spent.push(cost()),
      () => undefined,
    )
  }
  return { onlooker: { before, after }, spent }
}

interface Counted {
  /** By node. */
  readonly sent: readonly number[]
  readonly cpuS: number
  /** Nodes and this process, and when that was. */
  readonly allCpuS: number
  readonly atMs: number
  readonly crossed: Crossings
}

async function count({ nodes, border }: StartedFleet): Promise<Counted> {
  const cpuS = sum(nodes.map((node) => cpuSeconds(pidOf(node))))
  const crossed = border?.crossings() ?? new Map()
  const sent = await Promise.all(nodes.map((node) => total(node.api, 'confmesh_network_sent_bytes_total')))
  return { sent, cpuS, allCpuS: allCpuS(nodes), atMs: performance.now(), crossed }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits))

/** Starts a fleet of this shape and gives it these releases. */
export async function releaseTo(o: Scenario): Promise<Figures> {
  const fleet = new RealFleet()
  let border: Border | undefined
  try {
    const started = await start(fleet, o)
    border = started.border
    // Links and gossip's mesh take a few heartbeats to stand, and where all share few cores each node makes them longer.
    await delay(5_000 + SETTLE_MS * o.nodes)
    const before = await count(started)
    const content = () => randomBytes(o.bytes)
    const { onlooker, spent } = costOf(started.nodes)
    const sent = await send(fleet, started.init, started.seed, { ...o, content, onlooker })
    const arrived = await arrivals(started.nodes, sent, DEADLINE_MS)
    const after = await count(started)
    // Not before the releases: a fleet that has just started links for as long as all of this takes.
    await delay(IDLE_MS)
    const idleTo = await count(started)
    // The fleet idles on beside it: the same processes, the same machine, the same minute.
    const tcp = await tcpFanOut({
      receivers: o.nodes,
      payloadBytes: o.bytes + ENVELOPE_BYTES,
      rounds: o.releases,
      gapMs: Math.min(o.gapMs, 300 + o.bytes / 10_000),
    })
    return figuresOf(o, { arrived, spent, before, after, idleTo, tcp })
  } finally {
    border?.end()
    await fleet.end()
  }
}

function figuresOf(
  o: Scenario,
  m: {
    readonly arrived: readonly Arrived[]
    readonly spent: readonly Spent[]
    readonly before: Counted
    readonly after: Counted
    readonly idleTo: Counted
    readonly tcp: Awaited<ReturnType<typeof tcpFanOut>>
  },
): Figures {
  const { arrived, before, after, idleTo } = m
  const idleShare = (idleTo.allCpuS - after.allCpuS) / ((idleTo.atMs - after.atMs) / 1_000)
  const untilActiveMs = m.spent.map(
    ({ cpuS, tookMs }) => Math.max(0, cpuS * 1_000 - idleShare * tookMs) / (o.nodes + 1),
  )
  const payloads = o.releases * o.bytes
  const bytes = after.sent.map((value, at) => value - (before.sent[at] ?? 0))
  const since = (when: 'signedMs' | 'acknowledgedMs'): Spread =>
    spread(arrived.flatMap(({ sent, activeMs }) => activeMs.map((ms) => ms - sent[when])))
  const fromSigningMs = since('signedMs')
  const bareTcpMs = spread(m.tcp.times, 2)
  const borders = [...after.crossed].map(([pair, value]): [string, number] => [
    pair,
    rounded((value - (before.crossed.get(pair) ?? 0)) / payloads),
  ])
  return {
    ...o,
    fromAcknowledgementMs: since('acknowledgedMs'),
    beyondSeedMs: spread(
      arrived.flatMap(({ sent, beyondSeedMs }) => beyondSeedMs.map((ms) => ms - sent.acknowledgedMs)),
    ),
    fromSigningMs,
    missed: sum(arrived.map(({ missed }) => missed)),
    seedEgressPayloads: rounded((bytes[0] ?? 0) / payloads),
    sentPerDeliveredByte: rounded(sum(bytes) / (payloads * o.nodes)),
    cpuMsPerDelivery: rounded(((after.cpuS - before.cpuS) * 1_000) / (o.releases * (o.nodes + 1)), 1),
    cpuMsPerDeliveryUntilActive: spread(untilActiveMs, 1).p50,
    payloadsOverBorder: Object.fromEntries(borders.sort(([a], [b]) => (a < b ? -1 : 1))),
    idleSentBytesPerSecond: Math.round(((sum(idleTo.sent) - sum(after.sent)) * 1_000) / IDLE_MS),
    bareTcpMs,
    bareTcpMissed: m.tcp.missed,
    ratioToFloor: rounded(fromSigningMs.p99 / bareTcpMs.p99, 1),
  }
}

const sizeText = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${Math.round(bytes / 1024 / 1024)} MiB`

function rowsOf(f: Figures): readonly Row[] {
  const where = f.regions === 1 ? '' : ` in ${f.regions} regions`
  const who = `1 seed + ${f.nodes} nodes${where}, ${f.releases} × ${sizeText(f.bytes)}`
  const borders = Object.entries(f.payloadsOverBorder).map(([pair, payloads]) => `${pair} ${payloads}`)
  return [
    { what: `${who}: acknowledged → active, ms (p50 / p99 / max)`, figure: line(f.fromAcknowledgementMs) },
    { what: 'signed → active, ms', figure: line(f.fromSigningMs) },
    { what: 'missed (replaced before that node ran it)', figure: String(f.missed) },
    { what: 'seed egress, payloads for each release', figure: String(f.seedEgressPayloads) },
    { what: 'bytes sent by the whole fleet for each byte delivered', figure: String(f.sentPerDeliveredByte) },
    { what: 'CPU for each delivery, ms', figure: String(f.cpuMsPerDelivery) },
    ...(borders.length === 0
      ? []
      : [{ what: 'payloads over each border for each release', figure: borders.join(', ') }]),
    { what: 'bytes sent by the whole fleet while idle, B/s', figure: String(f.idleSentBytesPerSecond) },
    {
      what: 'bare TCP fan-out of the same bytes to as many processes, ms',
      figure: `${line(f.bareTcpMs)}${f.bareTcpMissed > 0 ? `, ${f.bareTcpMissed} did not come` : ''}`,
    },
    { what: 'p99 signed → active, over p99 of bare TCP', figure: `${f.ratioToFloor} ×` },
  ]
}

const KIB = 1024
const MIB = 1024 * KIB

function scenarios(quick: boolean): readonly Scenario[] {
  if (quick)
    // `calibrate` has regions.
    return [{ nodes: 9, regions: 1, bytes: 2 * KIB, releases: 8, gapMs: 600 }]
  const regional = { nodes: 29, regions: 3 }
  return [
    { nodes: 9, regions: 1, bytes: 2 * KIB, releases: 30, gapMs: 1_000 },
    { nodes: 29, regions: 1, bytes: 2 * KIB, releases: 30, gapMs: 2_000 },
    { nodes: 59, regions: 1, bytes: 2 * KIB, releases: 30, gapMs: 3_000 },
    { ...regional, bytes: 2 * KIB, releases: 30, gapMs: 2_000 },
    { ...regional, bytes: 64 * KIB, releases: 20, gapMs: 4_000 },
    { ...regional, bytes: MIB, releases: 10, gapMs: 8_000 },
    { ...regional, bytes: 8 * MIB, releases: 5, gapMs: 30_000 },
  ]
}

export interface WireOptions {
  readonly quick: boolean
  /** One run of this shape alone. */
  readonly shape?: Partial<Pick<Scenario, 'nodes' | 'regions' | 'bytes'>>
}

const shaped = (quick: boolean, shape: NonNullable<WireOptions['shape']>): Scenario => {
  const { nodes, regions, bytes } = { nodes: 9, regions: 1, bytes: 2 * KIB, ...shape }
  return { nodes, regions, bytes, releases: quick ? 10 : 30, gapMs: 1_000 + 50 * nodes + bytes / 300 }
}

/** A scenario that fails costs itself alone: the others are worth having, and the exit code says it. */
export async function wire({ quick, shape, keep }: WireOptions & Keeping): Promise<Measured> {
  const figures: Figures[] = []
  const failed: Row[] = []
  for (const scenario of shape === undefined ? scenarios(quick) : [shaped(quick, shape)]) {
    try {
      figures.push(await releaseTo(scenario))
    } catch (error) {
      process.exitCode = 1
      const { nodes, regions, bytes } = scenario
      const what = `${nodes + 1} processes, ${regions} regions, ${sizeText(bytes)}`
      failed.push({ what, figure: `failed: ${(error as Error).message}` })
    }
    keep(summed(figures, failed))
  }
  return summed(figures, failed)
}

interface Keeping {
  /** Given all there is after each scenario. */
  readonly keep: (soFar: Measured) => void
}

const summed = (figures: readonly Figures[], failed: readonly Row[]): Measured => ({
  about: [
    'real processes on one machine over loopback, real libp2p, LevelDB and signatures; one release after another, one file of random bytes, published by one process over one connection to the seed',
    `where there are regions, every byte between two of them passes a proxy that holds it for ${BORDER_MS} ms each way; no loss, no bound on bandwidth; all nodes share the machine’s cores all the same`,
    'active is what the node itself recorded in its history; the seed counts as a node; a time from acknowledgement below zero means active before the publisher had heard of it',
    'bytes are all that libp2p connections sent meanwhile, idle traffic of the gaps included; so is the CPU, user and system, of all nodes',
  ],
  rows: [...figures.flatMap(rowsOf), ...failed],
  figures,
})
