/**
 * What one release costs its origin and its fleet: bytes the seed sends, bytes all nodes send, CPU of all processes,
 * and times, by size and by number of nodes. The nodes are real; several of them share a process.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { withSession } from '../src/cli/publish-session.ts'
import { LIMITS } from '../src/limits.ts'
import type { ReleaseId } from '../src/model/ids.ts'
import { parseChannel } from '../src/model/names.ts'
import { build } from '../src/publish/build.ts'
import { type InitResult, RealFleet, type RealNode, until } from '../test/e2e/real-fleet.ts'
import { Arrivals, Crowd } from './crowd-of-nodes.ts'
import { total } from './metrics.ts'
import { cpuSeconds } from './processes.ts'
import { publishRelease } from './publish-release.ts'
import { messageBytes } from './release-message.ts'
import type { Measured, Row } from './results.ts'
import { type Spread, spread } from './spread.ts'

const CHANNEL = parseChannel('bench/bulk')
const KIB = 1024
const MIB = KIB * KIB
/** The second is near the most that goes whole with its announcement; in the first, signatures weigh more than the file. */
const SIZES = [KIB, 12 * KIB, 64 * KIB, MIB, 8 * MIB] as const
/** With many more a process's event loop is what is measured. */
const NODES_A_PROCESS = 10
const DEADLINE_MS = 180_000
/** Before each release: what the one before left to say has been said. */
const SETTLE_MS = 2_500
/** Links of a node before the first release, where there are so many others, and how long they may take. */
const LINKS = 8
const STAND_MS = 300_000
/** Gossip's mesh and the region's gateways stand by then, once there are links, and most of what is said once is said. */
const START_MS = 60_000
/** Of a quick run: its figures have more of that in them, and it says so. */
const QUICK = { nodes: 20, sizes: [12 * KIB, MIB], rounds: 2, startMs: 5_000 } as const
/** A process that has just started compiles what a release runs while it runs: with ten of them on two cores, for seconds. */
const WARM_UP_BYTES = [64 * KIB, 64 * KIB, MIB] as const
/** Before each release: a fleet grows calmer by the minute. */
const IDLE_MS = 2_500
const AFTER_MS = 500

interface Figures {
  readonly nodes: number
  readonly bytes: number
  /** Of the one message that such a release is told in; none: its blocks are asked for. */
  readonly messageBytes?: number
  readonly seedPayloads: Spread
  /** Less what it says while idle, in the same time. */
  readonly seedPayloadsBeyondIdle: Spread
  /** Bytes all nodes and the seed sent, over bytes delivered. */
  readonly sentPerDelivered: Spread
  readonly sentPerDeliveredBeyondIdle: Spread
  /** Beyond what the same time costs idle. */
  readonly cpuMsPerDelivery: Spread
  readonly cpuMsWithIdle: Spread
  readonly blocksPerDelivery: Spread
  /** Of these, what was there already when it came. */
  readonly blocksInVainPerDelivery: Spread
  /** From the publisher's start to active, over all nodes and rounds. */
  readonly activeMs: Spread
  readonly idleSeedBytesPerSecond: number
  readonly idleCpuMsPerNodeAndSecond: number
}

async function release(
  init: InitResult,
  seed: RealNode,
  dir: string,
): Promise<{ id: ReleaseId; fromMs: number }> {
  let result: { id: ReleaseId; fromMs: number } | undefined
  await withSession({ key: [init.publisherKey], seed: [seed.address] }, async (session) => {
    const content = await build([dir], { limits: LIMITS })
    const fromMs = Date.now()
    const { release: id } = await publishRelease(session, CHANNEL, content, 'bench')
    result = { id, fromMs }
  })
  if (result === undefined) throw new Error('nothing was published')
  return result
}

/** A fleet that stands, and what is read off it. */
interface Standing {
  readonly fleet: RealFleet
  readonly init: InitResult
  readonly seed: RealNode
  readonly nodes: number
  readonly arrivals: Arrivals
  readonly cpuMs: () => number
  readonly sums: () => Promise<{ seed: number; all: number; blocks: number; vain: number }>
}

/** What it costs to do nothing, per millisecond. */
interface Idle {
  readonly cpuMs: number
  readonly seedBytes: number
  readonly allBytes: number
}

interface Extent {
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly startMs: number
}

async function run(
  nodes: number,
  { sizes, rounds, startMs }: Extent,
  onFigures: (measured: Figures) => void,
): Promise<void> {
  const fleet = new RealFleet()
  const arrivals = new Arrivals()
  const crowd = new Crowd(arrivals)
  try {
    const init = await fleet.init('fleet', ['--channel', 'bench/*'])
    const seed = await fleet.start('seed', init.seedConfig)
    arrivals.listen(seed.process)
    await crowd.start({ config: init.nodeConfig, dir: fleet.dir, nodes, nodesAProcess: NODES_A_PROCESS })
    const pids = [seed.process.pid ?? 0, ...crowd.children.map(({ pid }) => pid ?? 0)]
    const cpu = () => sum(pids.map((pid) => cpuSeconds(pid) * 1_000))
    const read = (name: string) => Promise.all([seed.api, ...crowd.apis].map((api) => total(api, name)))
    const sums = async () => {
      const sent = await read('confmesh_network_sent_bytes_total')
      const blocks = await read('confmesh_blocks_received_total')
      const vain = await read('confmesh_blocks_in_vain_total')
      return { seed: sent[0] ?? 0, all: sum(sent), blocks: sum(blocks), vain: sum(vain) }
    }
    await stand(crowd.apis, Math.min(LINKS, nodes))
    await delay(startMs)
    const standing = { fleet, init, seed, nodes, arrivals, cpuMs: cpu, sums }
    for (const bytes of WARM_UP_BYTES) await warmUp(standing, bytes)
    for (const bytes of sizes) {
      const measured = await measure(standing, bytes, rounds)
      process.stderr.write(`${rowOf(measured).what}: ${rowOf(measured).figure}\n`)
      onFigures(measured)
    }
  } finally {
    crowd.end()
    await fleet.end()
  }
}

/** Every node has its links. @throws Error once the time is up */
async function stand(apis: readonly string[], links: number): Promise<void> {
  await until(`each node has ${links} links`, STAND_MS, async () => {
    await delay(1_000)
    for (const api of apis) if ((await total(api, 'confmesh_peers')) < links) return false
    return true
  })
}

async function idle({ cpuMs, sums }: Standing): Promise<Idle> {
  const from = await sums()
  const cpuFrom = cpuMs()
  await delay(IDLE_MS)
  const cpuTo = cpuMs()
  const to = await sums()
  return {
    cpuMs: (cpuTo - cpuFrom) / IDLE_MS,
    seedBytes: (to.seed - from.seed) / IDLE_MS,
    allBytes: (to.all - from.all) / IDLE_MS,
  }
}

/** A release of which nothing is measured. */
async function warmUp({ fleet, init, seed, nodes, arrivals }: Standing, bytes: number): Promise<void> {
  const text = randomBytes(bytes / 2).toString('hex')
  const { id } = await release(init, seed, fleet.files('warm-up', { 'bulk.txt': text }))
  await arrivals.of(id, nodes + 1, DEADLINE_MS)
}

async function measure(on: Standing, bytes: number, rounds: number): Promise<Figures> {
  const { nodes } = on
  const seen = new Map<string, number[]>()
  const note = (name: string, ...values: number[]) => seen.set(name, [...(seen.get(name) ?? []), ...values])
  const dir = on.fleet.files('bulk', { 'bulk.bin': '' })
  let message: number | undefined
  for (let round = 0; round < rounds; round += 1) {
    const file = randomBytes(bytes)
    writeFileSync(join(dir, 'bulk.bin'), file)
    await delay(SETTLE_MS)
    const calm = await idle(on)
    note('idleSeed', calm.seedBytes * 1_000)
    note('idleCpu', (calm.cpuMs * 1_000) / nodes)
    // Not part of a release: what reading the figures costs.
    const before = await on.sums()
    const cpuFrom = on.cpuMs()
    const beganMs = Date.now()
    const { id, fromMs } = await release(on.init, on.seed, dir)
    const at = await on.arrivals.of(id, nodes + 1, DEADLINE_MS)
    const cpu = on.cpuMs() - cpuFrom
    const tookMs = Date.now() - beganMs
    await delay(AFTER_MS)
    const after = await on.sums()
    const spanMs = tookMs + AFTER_MS
    note('seedNet', (after.seed - before.seed - calm.seedBytes * spanMs) / bytes)
    note('sentNet', (after.all - before.all - calm.allBytes * spanMs) / (bytes * nodes))
    note('vain', (after.vain - before.vain) / nodes)
    note('seed', (after.seed - before.seed) / bytes)
    note('sent', (after.all - before.all) / (bytes * nodes))
    note('cpu', (cpu - calm.cpuMs * tookMs) / nodes)
    note('all', cpu / nodes)
    note('blocks', (after.blocks - before.blocks) / nodes)
    note('ms', ...at.map((ms) => ms - fromMs))
    message = await messageBytes(on.init, id, dir, file)
  }
  const of = (name: string, digits?: number) => spread(seen.get(name) ?? [], digits)
  return {
    nodes,
    bytes,
    ...(message === undefined ? {} : { messageBytes: message }),
    seedPayloads: of('seed', 3),
    seedPayloadsBeyondIdle: of('seedNet', 3),
    sentPerDelivered: of('sent', 3),
    sentPerDeliveredBeyondIdle: of('sentNet', 3),
    cpuMsPerDelivery: of('cpu', 1),
    cpuMsWithIdle: of('all', 1),
    blocksPerDelivery: of('blocks', 2),
    blocksInVainPerDelivery: of('vain', 3),
    activeMs: of('ms'),
    idleSeedBytesPerSecond: of('idleSeed').p50,
    idleCpuMsPerNodeAndSecond: of('idleCpu', 2).p50,
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const rowOf = (f: Figures): Row => ({
  what: `1 seed + ${f.nodes} nodes, ${f.bytes / KIB} KiB: payloads the seed sent (beyond idle) · sent per delivered byte (beyond idle) · CPU ms per delivery · signed → active ms p50 / p99`,
  figure: `${f.seedPayloads.p50} (${f.seedPayloadsBeyondIdle.p50}) · ${f.sentPerDelivered.p50} (${f.sentPerDeliveredBeyondIdle.p50}) · ${f.cpuMsPerDelivery.p50} · ${f.activeMs.p50} / ${f.activeMs.p99}`,
})

/** Of a small release the same, beyond idle, over what has to travel of it: header, signatures and manifest weigh as well. */
function messageRowsOf(f: Figures): readonly Row[] {
  if (f.messageBytes === undefined) return []
  const over = (payloads: Spread): string => ((payloads.p50 * f.bytes) / (f.messageBytes ?? 1)).toFixed(2)
  return [
    {
      what: `of these, in messages of ${f.messageBytes} bytes: messages the seed sent · bytes sent for each of a message`,
      figure: `${over(f.seedPayloadsBeyondIdle)} · ${over(f.sentPerDeliveredBeyondIdle)}`,
    },
  ]
}

interface EgressOptions {
  readonly quick: boolean
  /** One number of nodes, or one size, alone. */
  readonly shape?: { readonly nodes?: number; readonly bytes?: number }
  /** Given all there is after each size: where a later one fails, they stay. */
  readonly keep: (soFar: Measured) => void
}

export async function egress({ quick, shape = {}, keep }: EgressOptions): Promise<Measured> {
  const extent: Extent = quick ? QUICK : { sizes: SIZES, rounds: 5, startMs: START_MS }
  const counts = shape.nodes === undefined ? (quick ? [QUICK.nodes] : [10, 40, 100]) : [shape.nodes]
  const sizes = shape.bytes === undefined ? extent.sizes : [shape.bytes]
  const figures: Figures[] = []
  for (const nodes of counts)
    await run(nodes, { ...extent, sizes }, (measured) => {
      figures.push(measured)
      keep(summed(figures, extent))
    })
  return summed(figures, extent)
}

const summed = (figures: readonly Figures[], { rounds, startMs }: Extent): Measured => ({
  about: [
    `real nodes on one machine over loopback, ${NODES_A_PROCESS} to a process, the seed in one of its own; one file of random bytes a release; medians of ${rounds} releases, the first ${startMs / 1_000} s after all had their links`,
    `releases of ${WARM_UP_BYTES.map((bytes) => bytes / KIB).join(', ')} KiB go before, unmeasured`,
    'bytes are all that libp2p connections sent from just before the release until 0.5 s after the last node ran it, gossip, sync and pings included',
    'beyond idle: less what the fleet sent in the same time while idle, which is measured before each release; minutes after its start it still makes itself known',
    'CPU is that of all processes, the publisher left out, from just before the release until the last node ran it, less what the fleet took in the same time while idle, which is measured before each release',
  ],
  rows: figures.flatMap((f) => [rowOf(f), ...messageRowsOf(f)]),
  figures,
})
