/** What one node costs its host: time to start, memory, and CPU and traffic while nothing happens. */
import { spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { converged, type InitResult, publish, RealFleet, type RealNode } from '../test/e2e/real-fleet.ts'
import { total } from './metrics.ts'
import { cpuSeconds, pidOf, rssMiB } from './processes.ts'
import type { Measured } from './results.ts'
import { type Spread, spread } from './spread.ts'

const STARTS = { quick: 3, whole: 7 }
const IDLE_SECONDS = { quick: 5, whole: 60 }
/** Until links stand and nothing is left to pull. */
const SETTLE_MS = { quick: 5_000, whole: 10_000 }

interface Figures {
  readonly nodeItselfMs: Spread
  readonly listeningMs: Spread
  readonly listeningBeyondNodeMs: number
  readonly idleSeconds: number
  readonly rssMiB: number
  readonly idleCpuPercent: number
  readonly idleSentBytesPerSecond: number
  readonly idleReceivedBytesPerSecond: number
}

/** Node's own start: an empty program, to its end. */
function nodeItself(): number {
  const start = performance.now()
  spawnSync(process.execPath, ['-e', '0'])
  return performance.now() - start
}

async function starts(
  fleet: RealFleet,
  init: InitResult,
  count: number,
): Promise<{ node: number[]; listening: number[] }> {
  const times = { node: [] as number[], listening: [] as number[] }
  for (let i = 0; i < count; i++) {
    times.node.push(nodeItself())
    const start = performance.now()
    const node = await fleet.startNode('node', init)
    times.listening.push(performance.now() - start)
    await node.kill('SIGTERM')
  }
  return times
}

async function idle(node: RealNode, seconds: number) {
  const read = async () => ({
    atMs: performance.now(),
    cpu: cpuSeconds(pidOf(node)),
    sent: await total(node.api, 'confmesh_network_sent_bytes_total'),
    received: await total(node.api, 'confmesh_network_received_bytes_total'),
  })
  const before = await read()
  await delay(seconds * 1_000)
  const after = await read()
  const span = (after.atMs - before.atMs) / 1_000
  return {
    rssMiB: rssMiB(pidOf(node)),
    idleCpuPercent: Number(((100 * (after.cpu - before.cpu)) / span).toFixed(2)),
    idleSentBytesPerSecond: Math.round((after.sent - before.sent) / span),
    idleReceivedBytesPerSecond: Math.round((after.received - before.received) / span),
  }
}

async function run(startCount: number, settleMs: number, idleSeconds: number): Promise<Figures> {
  const fleet = new RealFleet()
  try {
    const init = await fleet.init('fleet', ['--channel', 'bench/*'])
    await fleet.start('seed', init.seedConfig)
    const times = await starts(fleet, init, startCount)
    const node = await fleet.startNode('node', init)
    const files = fleet.files('config', { 'config.yaml': 'a: 1\n' })
    const { release } = await publish(init, 'bench/config', files)
    await converged([node], 'bench/config', release)
    await delay(settleMs)
    const nodeItselfMs = spread(times.node)
    const listeningMs = spread(times.listening)
    return {
      nodeItselfMs,
      listeningMs,
      listeningBeyondNodeMs: listeningMs.p50 - nodeItselfMs.p50,
      idleSeconds,
      ...(await idle(node, idleSeconds)),
    }
  } finally {
    await fleet.end()
  }
}

const range = ({ p50, min, max }: Spread): string => `${p50} (${min} to ${max})`

export async function footprint({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const size = quick ? 'quick' : 'whole'
  const f = await run(STARTS[size], SETTLE_MS[size], IDLE_SECONDS[size])
  return {
    about: [
      `one node beside one seed, real processes on one machine; one channel with one small release; idle for ${f.idleSeconds} s after ${SETTLE_MS[size] / 1_000} s to settle`,
      `start: spawn → the line that says it listens, median of ${STARTS[size]} (fastest to slowest), and Node's own start of an empty program measured in turn`,
      'goals: at most 1,000 ms beyond Node, 128 MiB, below 1 % of a core, 2,048 B/s',
    ],
    rows: [
      { what: "Node's own start, ms", figure: range(f.nodeItselfMs) },
      { what: 'start → listening, ms', figure: range(f.listeningMs) },
      { what: 'start → listening beyond Node, ms', figure: String(f.listeningBeyondNodeMs) },
      { what: 'resident memory, MiB', figure: String(f.rssMiB) },
      { what: 'idle CPU, % of a core', figure: String(f.idleCpuPercent) },
      {
        what: 'idle traffic, B/s sent · received',
        figure: `${f.idleSentBytesPerSecond} · ${f.idleReceivedBytesPerSecond}`,
      },
    ],
    figures: f,
  }
}
