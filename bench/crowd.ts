/** One seed with 500 connections: its memory, and how long a small release takes to all who hang on it. */
import { appendFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { withSession } from '../src/cli/publish-session.ts'
import { type InitResult, RealFleet, type RealNode, until } from '../test/e2e/real-fleet.ts'
import { Arrivals, Crowd } from './crowd-of-nodes.ts'
import { total } from './metrics.ts'
import { cpuSeconds, pidOf, rssMiB } from './processes.ts'
import { publishSmall } from './release-stream.ts'
import type { Measured } from './results.ts'
import { line, type Spread, spread } from './spread.ts'

/**
 * Two for each core: each compiles the same code and collects its own garbage, and ten of them on two cores wait for one
 * another. At one build the last of 500 nodes had a release after 2.8 s with ten, 2.0 s with four; with two their turns are long.
 */
const PROCESSES = 2 * availableParallelism()
/** What is measured is the seed, and in a fleet it has a machine of its own: nodes leave it the cores. */
const NICENESS_OF_NODES = 5
/**
 * Beyond the seed: what is measured is the seed, and 500 nodes that look for sixteen links each are 4,000 handshakes. As
 * many as ever are taken, or most of what is dialled would be refused and dialled again, for as long as the bench runs.
 */
const LIMITS_OF_NODES = 'limits:\n  minDegree: 2\n  maxDegree: 16\n  outsideDegree: 0\n'
const STAND_MS = 300_000
const WHOLE = {
  nodes: 500,
  rounds: 10,
  /** After each process: with two cores nodes that come up beside three hundred others make answers too late for all. */
  calmMs: 6_000,
  /** Gossip's mesh stands by then, and most of what a node says once to make itself known is said. */
  settleMs: 60_000,
  /** Before the releases and again behind them: a fleet grows calmer by the minute, and a beacon comes each 20 s. */
  idleMs: 20_000,
}
type Extent = typeof WHOLE
const QUICK: Extent = { nodes: 50, rounds: 2, calmMs: 500, settleMs: 5_000, idleMs: 4_000 }
const GAP_MS = 3_000
const DEADLINE_MS = 60_000

interface Figures {
  readonly nodes: number
  readonly seedPeers: number
  readonly seedRssMiB: number
  readonly activeMs: Spread
  /** Of each release, the last node's. */
  readonly lastMs: Spread
  readonly seedCopies: number
  readonly cpuMsPerDelivery: number
  readonly idleCpuMsPerNodeAndSecond: number
}

async function releases(
  o: { readonly init: InitResult; readonly fleet: RealFleet },
  rounds: number,
  arrived: (release: string) => Promise<readonly number[]>,
): Promise<{ all: number[]; last: number[] }> {
  const times = { all: [] as number[], last: [] as number[] }
  await withSession({ key: [o.init.publisherKey], seed: [o.init.seedAddress] }, async (session) => {
    for (let round = 0; round < rounds; round += 1) {
      const { release, signedMs } = await publishSmall(o.fleet, session, round)
      const ms = (await arrived(release)).map((at) => at - signedMs)
      times.all.push(...ms)
      times.last.push(Math.max(...ms))
      process.stderr.write(`release ${round + 1}: on the last node after ${Math.max(...ms)} ms\n`)
      await delay(GAP_MS)
    }
  })
  return times
}

async function run({ nodes, rounds, calmMs, settleMs, idleMs }: Extent): Promise<Figures> {
  const fleet = new RealFleet()
  const arrivals = new Arrivals()
  const crowd = new Crowd(arrivals)
  try {
    const init = await fleet.init('fleet', ['--channel', 'bench/*'])
    appendFileSync(init.nodeConfig, LIMITS_OF_NODES)
    const seed = await fleet.start('seed', init.seedConfig)
    arrivals.listen(seed.process)
    const stand = async (started: number) => {
      await until(`${started} nodes are linked to the seed`, STAND_MS, async () => {
        await delay(1_000)
        return (await peersOf(seed)) >= started
      })
      process.stderr.write(
        `linked to the seed: ${started} of ${nodes}; it takes ${rssMiB(pidOf(seed))} MiB\n`,
      )
      await delay(calmMs)
    }
    await crowd.start({
      ...{ config: init.nodeConfig, dir: fleet.dir, nodes, stand },
      ...{ nodesAProcess: Math.ceil(nodes / PROCESSES), niceness: NICENESS_OF_NODES },
    })
    await delay(settleMs)
    const pids = [pidOf(seed), ...crowd.children.map(({ pid }) => pid ?? 0)]
    const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid) * 1_000, 0)
    const sent = () => total(seed.api, 'confmesh_network_sent_bytes_total')
    const read = async () => ({ cpuMs: cpu(), bytes: await sent(), ms: performance.now() })
    const still = async () => {
      const from = await read()
      await delay(idleMs)
      return rate(from, await read())
    }
    const before = await still()
    const from = await read()
    const times = await releases({ init, fleet }, rounds, (id) => arrivals.of(id, nodes + 1, DEADLINE_MS))
    const to = await read()
    const idle = mean(before, await still())
    const spanMs = to.ms - from.ms
    const sentBytes = to.bytes - from.bytes - idle.bytes * spanMs
    const cpuMs = to.cpuMs - from.cpuMs - idle.cpuMs * spanMs
    return {
      nodes,
      seedPeers: await peersOf(seed),
      seedRssMiB: rssMiB(pidOf(seed)),
      activeMs: spread(times.all),
      lastMs: spread(times.last),
      seedCopies: Number((sentBytes / rounds / SMALL_BYTES).toFixed(1)),
      cpuMsPerDelivery: Number((cpuMs / rounds / nodes).toFixed(1)),
      idleCpuMsPerNodeAndSecond: Number(((idle.cpuMs * 1_000) / nodes).toFixed(2)),
    }
  } finally {
    crowd.end()
    await fleet.end()
  }
}

/** CPU of all processes, and bytes that the seed sent. */
interface Spent {
  readonly cpuMs: number
  readonly bytes: number
}

/** Of each millisecond between two readings. */
function rate(from: Spent & { readonly ms: number }, to: Spent & { readonly ms: number }): Spent {
  const ms = to.ms - from.ms
  return { cpuMs: (to.cpuMs - from.cpuMs) / ms, bytes: (to.bytes - from.bytes) / ms }
}

const mean = (a: Spent, b: Spent): Spent => ({
  cpuMs: (a.cpuMs + b.cpuMs) / 2,
  bytes: (a.bytes + b.bytes) / 2,
})

/** Content, manifest page and envelope. */
const SMALL_BYTES = 2_048 + 700

const peersOf = ({ api }: RealNode): Promise<number> => total(api, 'confmesh_peers')

interface CrowdBenchOptions {
  readonly quick: boolean
  /** So many nodes instead. */
  readonly shape?: { readonly nodes?: number }
}

export async function crowd({ quick, shape }: CrowdBenchOptions): Promise<Measured> {
  const extent = quick ? QUICK : WHOLE
  const f = await run({ ...extent, nodes: shape?.nodes ?? extent.nodes })
  return {
    about: [
      `one seed in a process of its own, ${f.nodes} whole nodes in ${PROCESSES} processes, each looking for one link beside that to the seed and taking what comes, and the publisher; one machine, loopback, the nodes at a lower priority (nice ${NICENESS_OF_NODES}), since a seed has a machine of its own; one release of 2 KiB after another`,
      `bytes and CPU are less what the fleet took in the same time while idle, over ${extent.idleMs / 1_000} seconds before the releases and as many behind them`,
      'goals: 512 MiB, 2,000 ms',
    ],
    rows: [
      { what: `connections of the seed to admitted peers, of ${f.nodes}`, figure: String(f.seedPeers) },
      { what: 'resident memory of the seed, MiB', figure: String(f.seedRssMiB) },
      { what: 'signed → active, ms (p50 / p99 / max)', figure: line(f.activeMs) },
      {
        what: 'signed → active on the last node, ms (p50 / p99 / max over releases)',
        figure: line(f.lastMs),
      },
      { what: 'copies the seed sent of a release', figure: String(f.seedCopies) },
      { what: 'CPU for each delivery, ms', figure: String(f.cpuMsPerDelivery) },
      { what: 'idle CPU, ms a node and second', figure: String(f.idleCpuMsPerNodeAndSecond) },
    ],
    figures: f,
  }
}
