/** A small release beside a bulk transfer: from signing to active everywhere, idle and while gigabytes travel. */
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { withSession } from '../src/cli/publish-session.ts'
import { type InitResult, publish, RealFleet, type RealNode, until } from '../test/e2e/real-fleet.ts'
import { Arrivals } from './crowd-of-nodes.ts'
import { total } from './metrics.ts'
import { publishSmall } from './release-stream.ts'
import type { Measured } from './results.ts'
import { line, type Spread, spread } from './spread.ts'

const MIB = 2 ** 20
const NODES = 4
const GAP_MS = 400
/** Not measured: processes that have just started compile while they run, and a slow beginning would flatter what is held against it. */
const WARM_UP_RELEASES = { quick: 10, whole: 25 }
/** About as many as come beside the bulk: of a hundred, p99 is what the one worst release met. */
const IDLE_RELEASES = { quick: 12, whole: 250 }
const SETTLE_MS = 8_000
const DEADLINE_MS = 60_000
const BULK_DEADLINE_MS = 300_000

interface Figures {
  readonly nodes: number
  readonly bulkBytes: number
  readonly bulkSeconds: number
  readonly idleMs: Spread
  readonly besideMs: Spread
  /** p99 beside, over p99 idle. */
  readonly ratio: number
}

interface Standing {
  readonly fleet: RealFleet
  readonly init: InitResult
  readonly all: readonly RealNode[]
  readonly arrivals: Arrivals
}

async function start(fleet: RealFleet): Promise<Standing> {
  const init = await fleet.init('fleet', ['--channel', 'bench/*'])
  const all = [await fleet.start('seed', init.seedConfig)]
  for (let at = 1; at <= NODES; at += 1) all.push(await fleet.startNode(`node-${at}`, init))
  const arrivals = new Arrivals()
  for (const { process } of all) arrivals.listen(process)
  await until('all are linked', DEADLINE_MS, async () => {
    for (const { api } of all) if ((await total(api, 'confmesh_peers')) < NODES) return false
    return true
  })
  await delay(SETTLE_MS)
  return { fleet, init, all, arrivals }
}

/** One small release after another while `goOn` says so. @returns milliseconds, over all nodes and releases */
async function stream(on: Standing, goOn: (released: number) => boolean): Promise<number[]> {
  const times: number[] = []
  const { fleet, init, all, arrivals } = on
  await withSession({ key: [init.publisherKey], seed: [init.seedAddress] }, async (session) => {
    for (let released = 0; goOn(released); released += 1) {
      const { release, signedMs } = await publishSmall(fleet, session, released)
      const at = await arrivals.of(release, all.length, DEADLINE_MS)
      times.push(...at.map((ms) => ms - signedMs))
      await delay(GAP_MS)
    }
  })
  return times
}

function bulk(dir: string, bytes: number): string {
  mkdirSync(dir, { recursive: true })
  const file = openSync(join(dir, 'bulk.bin'), 'w')
  for (let left = bytes; left > 0; left -= MIB) writeSync(file, randomBytes(Math.min(left, MIB)))
  closeSync(file)
  return dir
}

async function run(bulkBytes: number, warmUps: number, idleReleases: number): Promise<Figures> {
  const fleet = new RealFleet()
  try {
    const on = await start(fleet)
    const dir = bulk(join(fleet.dir, 'bulk'), bulkBytes)
    await stream(on, (released) => released < warmUps)
    const idle = await stream(on, (released) => released < idleReleases)
    // Its upload is over then; the nodes have only begun.
    const { release } = await publish(on.init, 'bench/bulk', dir)
    const beganMs = performance.now()
    const travels = () => on.arrivals.soFar(release).length < on.all.length
    const beside = await stream(on, () => travels() && performance.now() - beganMs < BULK_DEADLINE_MS)
    if (travels()) throw new Error(`the bulk is not everywhere after ${BULK_DEADLINE_MS} ms`)
    const [idleMs, besideMs] = [spread(idle), spread(beside)]
    return {
      nodes: NODES,
      bulkBytes,
      bulkSeconds: Math.round((performance.now() - beganMs) / 1_000),
      idleMs,
      besideMs,
      ratio: Number((besideMs.p99 / idleMs.p99).toFixed(2)),
    }
  } finally {
    await fleet.end()
  }
}

export async function beside({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const size = quick ? 'quick' : 'whole'
  const warmUps = WARM_UP_RELEASES[size]
  const f = await run((quick ? 64 : 1_024) * MIB, warmUps, IDLE_RELEASES[size])
  const small = 'a release of 2 KiB, signed → active, ms (p50 / p99 / max)'
  return {
    about: [
      `one seed and ${f.nodes} nodes, a process each, on one machine over loopback; the bulk is one file of ${f.bulkBytes / MIB} MiB of random bytes, published before; small releases one after another on another channel, from then until the last node has the bulk`,
      `${warmUps} releases go before, unmeasured`,
      'all processes share the machine’s cores, so that part of what is measured is waiting for one',
      'goal: p99 beside the transfer at most three times p99 idle',
    ],
    rows: [
      { what: `idle: ${small}`, figure: line(f.idleMs) },
      { what: `beside ${f.bulkBytes / MIB} MiB: ${small}`, figure: line(f.besideMs) },
      { what: 'p99 beside, over p99 idle', figure: `${f.ratio} ×` },
      { what: 'releases measured beside', figure: String(f.besideMs.n / (f.nodes + 1)) },
      { what: 'the bulk, acknowledged → active everywhere, s', figure: String(f.bulkSeconds) },
    ],
    figures: f,
  }
}
