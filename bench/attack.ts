/**
 * `npm run attack [-- --seconds 60] [--nodes 10] [--target seed] [--only KIND] [--dry-run]`: one attacker process against one node of a fleet of real processes.
 * What must hold meanwhile: nothing false active anywhere, no crash, memory and event loop of the attacked node within
 * bounds, and honest releases on time. The result is kept of a run of every kind, and not of a dry one.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { optionsOf, wholeNumber } from '../scripts/options.ts'
import { ADMITTED, kindsOf, STRANGER } from '../test/attack/kit/attacks.ts'
import { type InitResult, RealFleet, type RealNode } from '../test/e2e/real-fleet.ts'
import type { Orders, Said } from './attacker.ts'
import { attackWith } from './attacker-process.ts'
import { total } from './metrics.ts'
import { cpuSeconds, pidOf, rssMiB } from './processes.ts'
import { arrivals, CHANNEL, type Sent, send } from './release-stream.ts'
import { loadNow, type Measured, write } from './results.ts'
import { silent } from './rounds.ts'
import { line, type Spread, spread } from './spread.ts'

const SETTLE_MS = 8_000
const WARM_UP_RELEASES = 20
const CALM_RELEASES = 10
const GAP_MS = 1_000
const DEADLINE_MS = 60_000
const MIB = 1024 * 1024
/** The allocator as a node that is installed has it. */
const SHIPPED = environmentOf(join(import.meta.dirname, '../docker/confmesh.service'))

interface Memory {
  readonly before: number
  readonly most: number
}

interface Figures {
  readonly nodes: number
  readonly target: string
  readonly seconds: number
  readonly hostileMessages: number
  readonly byKind: Said['byKind']
  readonly reconnects: number
  /** Where it was no attack for all that time. */
  readonly attackerProblem?: string
  readonly refused: number
  readonly calmMs: Spread
  readonly attackedMs: Spread
  /** Times that a node had another release before it ran one; these are not in the times. */
  readonly missed: number
  readonly ratio: number
  readonly rssMiB: Memory & { readonly after: number }
  /** Of a node that nobody attacks: what a young node's memory grows by meanwhile. */
  readonly notAttackedRssMiB: Memory
  /** At the end of the attack, garbage included, as the node says it. */
  readonly heapMiB: number
  readonly buffersMiB: number
  readonly cpuSeconds: number
  readonly loopLagP99Ms: number
  readonly idleProcessLagP99Ms: number
  readonly falselyActive: number
  readonly crashed: number
}

/** Any node but the seed, or the seed. */
const TARGETS = ['node', 'seed']
const bounds = { ratio: 3, rssMiB: 64, lagMs: 50, lagRatio: 2, messages: 100_000, burstsPerMinute: 10 }

/** What a systemd unit sets for its process. @throws Error where it sets nothing */
function environmentOf(unit: string): NodeJS.ProcessEnv {
  const line = /^Environment=(.+)$/m.exec(readFileSync(unit, 'utf8'))?.[1]
  if (line === undefined) throw new Error(`${unit} has no Environment=`)
  return Object.fromEntries(line.split(' ').map((setting) => setting.split('=')))
}

/** How often a node looks at its event loop: the 99th of a hundred looks is another figure than that of ten times as many. */
const LAG_SAMPLE_MS = 100

/** A process that does nothing but watch its own event loop as a node does, for what the machine itself does to it. */
function idleProcess(): { stop(): Promise<number> } {
  const code = `
    const { monitorEventLoopDelay } = require('node:perf_hooks')
    const lag = monitorEventLoopDelay({ resolution: ${LAG_SAMPLE_MS} }); lag.enable()
    process.stdin.once('data', () => {
      process.stdout.write(String(Math.max(0, lag.percentile(99) / 1e6 - ${LAG_SAMPLE_MS})))
      process.exit(0)
    })`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  return {
    stop: () =>
      new Promise((resolve) => {
        child.once('close', () => resolve(Number(out)))
        child.stdin.write('now\n')
      }),
  }
}

/** From signing to active on the last node, of each release that all nodes ran; and on how many nodes one was missed. */
async function everywhere(
  nodes: readonly RealNode[],
  sent: readonly Sent[],
): Promise<{ readonly ms: Spread; readonly missed: number }> {
  const arrived = await arrivals(nodes, sent, DEADLINE_MS)
  const whole = arrived.filter(({ missed }) => missed === 0)
  return {
    ms: spread(whole.map(({ sent: { signedMs }, activeMs }) => Math.max(...activeMs) - signedMs)),
    missed: arrived.reduce((sum, { missed }) => sum + missed, 0),
  }
}

/** Releases that a node has run and nobody published. */
async function falseOnes(nodes: readonly RealNode[], published: ReadonlySet<string>): Promise<number> {
  let count = 0
  for (const node of nodes)
    for (const { channel, active } of (await node.client.status()).channels) {
      const { history } = await node.client.channel(channel)
      const lived = [...history.map(({ release }) => release), ...(active === null ? [] : [active.release])]
      count += lived.filter((release) => !published.has(release)).length
    }
  return count
}

async function fleetOf(fleet: RealFleet, nodes: number): Promise<{ init: InitResult; all: RealNode[] }> {
  const init = await fleet.init('fleet', ['--channel', 'bench/*'])
  const all = [await fleet.start('seed', init.seedConfig, [], { env: SHIPPED })]
  for (let i = 1; i < nodes; i++)
    all.push(await fleet.start(`node-${i}`, init.nodeConfig, fleet.own(`node-${i}`), { env: SHIPPED }))
  await delay(SETTLE_MS)
  return { init, all }
}

interface Options {
  readonly nodes: number
  readonly seconds: number
  readonly target: string
  readonly only: string
}

const ordersOf = (init: InitResult, target: RealNode, { seconds, only }: Options): Orders => ({
  folder: dirname(init.root),
  target: target.address as Orders['target'],
  channel: CHANNEL,
  publisher: 'publisher',
  seconds,
  only,
})

/** From now on, until it is stopped. */
function watchMemory(node: RealNode): { stop(): Memory } {
  const before = rssMiB(pidOf(node))
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, rssMiB(pidOf(node)))
  }, 200)
  return {
    stop: () => {
      clearInterval(watch)
      return { before, most }
    },
  }
}

async function run(options: Options): Promise<Figures> {
  const fleet = new RealFleet()
  try {
    const { init, all } = await fleetOf(fleet, options.nodes)
    const seed = all[0] as RealNode
    const target = options.target === 'seed' ? seed : (all[1] as RealNode)
    // Not measured: a fleet that has just started is slow, and would flatter what is held against it.
    const warm = await send(fleet, init, seed, { releases: WARM_UP_RELEASES, gapMs: GAP_MS })
    const calm = await send(fleet, init, seed, {
      releases: CALM_RELEASES,
      gapMs: GAP_MS,
    })
    const inCalm = await everywhere(all, calm)
    const memory = watchMemory(target)
    const besides = watchMemory(all.findLast((node) => node !== target) as RealNode)
    // a scrape begins the time that the lag of the next one is of
    await total(target.api, 'confmesh_loop_lag_seconds')
    const idle = idleProcess()
    const cpuBefore = cpuSeconds(pidOf(target))
    const attacker = attackWith(ordersOf(init, target, options))
    const releases = Math.max(2, Math.floor(options.seconds / 3))
    const attacked = await send(fleet, init, seed, { releases, gapMs: 2_500 })
    const { said, problem } = await attacker
    const loopLagP99Ms = (await total(target.api, 'confmesh_loop_lag_seconds')) * 1_000
    const idleProcessLagP99Ms = await idle.stop()
    const cpu = cpuSeconds(pidOf(target)) - cpuBefore
    const heapMiB = Math.round((await total(target.api, 'confmesh_nodejs_heap_size_used_bytes')) / MIB)
    const buffersMiB = Math.round((await total(target.api, 'confmesh_nodejs_external_memory_bytes')) / MIB)
    const underAttack = await everywhere(all, attacked)
    const mostRss = { target: memory.stop(), besides: besides.stop() }
    await delay(SETTLE_MS)
    const published = new Set([...warm, ...calm, ...attacked].map(({ release }) => release))
    return {
      nodes: options.nodes,
      target: options.target,
      seconds: options.seconds,
      hostileMessages: said?.messages ?? 0,
      byKind: said?.byKind ?? {},
      reconnects: said?.reconnects ?? 0,
      ...(problem === undefined ? {} : { attackerProblem: problem }),
      refused: await total(target.api, 'confmesh_refused_total'),
      calmMs: inCalm.ms,
      attackedMs: underAttack.ms,
      missed: inCalm.missed + underAttack.missed,
      ratio: Number((underAttack.ms.p50 / inCalm.ms.p50).toFixed(2)),
      rssMiB: { ...mostRss.target, after: rssMiB(pidOf(target)) },
      notAttackedRssMiB: mostRss.besides,
      heapMiB,
      buffersMiB,
      cpuSeconds: Number(cpu.toFixed(1)),
      loopLagP99Ms: Number(loopLagP99Ms.toFixed(1)),
      idleProcessLagP99Ms: Number(idleProcessLagP99Ms.toFixed(1)),
      falselyActive: await falseOnes(all, published),
      crashed: all.filter(({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null)
        .length,
    }
  } finally {
    await fleet.end()
  }
}

/** What is not as it must be, one line each. */
function broken(f: Figures, kinds: readonly string[]): string[] {
  const lagBound = Math.max(bounds.lagMs, bounds.lagRatio * f.idleProcessLagP99Ms)
  const wanted = (bounds.messages * Math.min(60, f.seconds)) / 60
  return [
    f.attackerProblem !== undefined && f.attackerProblem,
    f.falselyActive > 0 && `${f.falselyActive} releases ran that nobody published`,
    f.crashed > 0 && `${f.crashed} nodes are gone`,
    f.hostileMessages < wanted &&
      `${f.hostileMessages} hostile messages, fewer than ${wanted}: not an attack`,
    f.rssMiB.most - f.rssMiB.before >= bounds.rssMiB &&
      `memory grew by ${f.rssMiB.most - f.rssMiB.before} MiB, ${bounds.rssMiB} at most`,
    f.loopLagP99Ms > lagBound && `event loop lag ${f.loopLagP99Ms} ms (p99), ${lagBound} at most`,
    f.missed > 0 && `${f.missed} times another release replaced one before a node ran it`,
    f.ratio > bounds.ratio && `releases took ${f.ratio} times as long, ${bounds.ratio} at most`,
    ...silent(kinds, f.byKind, f.seconds, bounds.burstsPerMinute),
  ].filter((problem) => problem !== false)
}

const measured = (f: Figures): Measured => ({
  about: [
    `${f.nodes} real processes on one machine, one more that attacks one of them (${f.target}) with admitted peers and strangers for ${f.seconds} s, every kind of test/attack/kit/attacks.ts in turn; honest releases meanwhile; nodes with the allocator of docker/confmesh.service (MALLOC_ARENA_MAX=1 and its neighbours)`,
    'calm and attacked: from signing to active on the last node, the same releases before and during the attack',
    `bounds: nothing false active, no process gone, memory below +${bounds.rssMiB} MiB, loop lag p99 at most ${bounds.lagMs} ms or twice that of an idle Node process beside it, releases at most ${bounds.ratio} times as long, of every kind at least ${bounds.burstsPerMinute} bursts a minute of which something went out`,
  ],
  rows: [
    { what: 'hostile messages', figure: `${f.hostileMessages} (${f.reconnects} connections)` },
    {
      what: 'kinds · fewest bursts of one of which something went out',
      figure: `${Object.keys(f.byKind).length} · ${Math.min(...Object.values(f.byKind).map(({ bursts }) => bursts))}`,
    },
    { what: 'refusals counted by the node', figure: String(f.refused) },
    { what: 'active that nobody published · processes gone', figure: `${f.falselyActive} · ${f.crashed}` },
    { what: 'calm: signed → active everywhere, ms (p50 / p99 / max)', figure: line(f.calmMs) },
    { what: 'attacked: signed → active everywhere, ms', figure: line(f.attackedMs) },
    { what: 'attacked over calm, medians', figure: `${f.ratio} ×` },
    { what: 'missed (replaced before a node ran it)', figure: String(f.missed) },
    {
      what: 'resident memory of the node, MiB: before · most · after',
      figure: `${f.rssMiB.before} · ${f.rssMiB.most} · ${f.rssMiB.after}`,
    },
    {
      what: 'of a node that is not attacked, MiB: before · most',
      figure: `${f.notAttackedRssMiB.before} · ${f.notAttackedRssMiB.most}`,
    },
    { what: 'the attacked node’s heap · buffers at the end, MiB', figure: `${f.heapMiB} · ${f.buffersMiB}` },
    { what: 'CPU of the node, s', figure: String(f.cpuSeconds) },
    {
      what: 'event loop delay p99, ms: the node · an idle process beside it',
      figure: `${f.loopLagP99Ms} · ${f.idleProcessLagP99Ms}`,
    },
  ],
  figures: f,
})

const { values } = optionsOf({
  options: {
    seconds: { type: 'string', default: '60' },
    nodes: { type: 'string', default: '10' },
    target: { type: 'string', default: 'node' },
    only: { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
  },
})
if (!TARGETS.includes(values.target)) {
  console.error(`--target ${values.target}: expected ${TARGETS.join(' or ')}`)
  process.exit(2)
}
const loadBefore = loadNow()
const figures = await run({
  nodes: wholeNumber('nodes', values.nodes, 2),
  seconds: wholeNumber('seconds', values.seconds),
  target: values.target,
  only: values.only,
})
const result = measured(figures)
for (const { what, figure } of result.rows) process.stdout.write(`  ${what}: ${figure}\n`)
for (const [kind, { messages, bursts }] of Object.entries(figures.byKind).sort(
  ([, a], [, b]) => b.messages - a.messages,
))
  process.stdout.write(`    ${messages} ${kind} (${bursts} bursts)\n`)
// of one kind alone it would stand for what all of them do
if (!values['dry-run'] && values.only === '')
  write(
    {
      name: 'attack',
      isQuick: false,
      command: `npm run attack -- --seconds ${values.seconds} --nodes ${values.nodes} --target ${values.target}`,
    },
    loadBefore,
    result,
  )
const kinds = [ADMITTED, STRANGER].flatMap((attacks) => kindsOf(attacks, values.only))
const problems = broken(figures, kinds)
for (const problem of problems) process.stdout.write(`BROKEN: ${problem}\n`)
process.exit(problems.length === 0 ? 0 : 1)
