import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import { createLogUpdate } from 'log-update'
import { MeshError } from '../../errors.ts'
import { wholeNumber } from '../arguments.ts'
import { type NodeLine, waitForPeers, watchConvergence } from '../demo/convergence.ts'
import {
  CHANNEL,
  type DemoFleet,
  openPlace,
  type Place,
  REGIONS,
  startFleet,
  withLogs,
} from '../demo/fleet.ts'
import { isJson, out } from '../output.ts'
import { requireNodePlatform } from '../platform.ts'
import { stdoutLost } from '../stdout.ts'
import { isTerminal, short } from '../text.ts'

interface DemoOptions {
  nodes: string
  regions: string
  exit?: boolean
}

interface Round {
  readonly what: string
  readonly release: string
  readonly converged: number
  readonly p50Ms: number | null
  readonly maxMs: number | null
}

const CONVERGE_DEADLINE_MS = 30_000
const PEERS_DEADLINE_MS = 20_000

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'a whole fleet on this machine: real processes, a release published and changed, the seeds killed',
    )
    .option('--nodes <n>', 'nodes beside the seeds', '12')
    .option('--regions <n>', 'regions, with a seed in each', '3')
    .option('--exit', 'end after the run; exit code 0 only if every node converged')
    .addHelpText('after', '\nExamples:\n  confmesh demo\n  confmesh demo --nodes 24 --exit\n')
    .action(async (options: DemoOptions) => {
      requireNodePlatform()
      const nodes = wholeNumber('--nodes', options.nodes, 1, 100)
      const regions = wholeNumber('--regions', options.regions, 1, REGIONS.length)
      const exit = options.exit === true
      const place = openPlace()
      const interrupt = interrupted()
      let passOn: (() => void) | undefined
      try {
        passOn = await Promise.race([interrupt, play(place, nodes, regions, exit)])
        // Whoever reads no more does not see that it waits for Ctrl-C.
        if (passOn === undefined && !exit) passOn = await Promise.race([interrupt, stdoutLost])
      } catch (error) {
        await place.leave(true)
        throw withLogs(error, place)
      }
      await place.leave()
      passOn?.()
    })
}

async function play(place: Place, nodes: number, regions: number, exit: boolean): Promise<undefined> {
  const fleet = await startFleet(place, nodes, regions, say)
  const rounds = await tell(fleet)
  // Ahead of the summary: with --json a failure is the one value.
  const late = rounds.find((round) => round.converged < nodes)
  if (late !== undefined) {
    const text = `${late.what}: ${late.converged} of ${nodes} nodes converged within ${CONVERGE_DEADLINE_MS} ms`
    throw new MeshError('NET_TIMEOUT', text, { nodes, converged: late.converged })
  }
  summary(fleet, rounds, exit)
}

const say = (text: string): void => {
  if (!isJson()) process.stdout.write(`${isTerminal() ? styleText('dim', '· ') : '· '}${text}\n`)
}

/** The main job, told in three steps. */
async function tell(fleet: DemoFleet): Promise<Round[]> {
  if (!(await waitForPeers(fleet.nodes, PEERS_DEADLINE_MS)))
    throw new MeshError('NET_TIMEOUT', `a node found no peer within ${PEERS_DEADLINE_MS} ms`)
  const rounds = [await publish(fleet, 'a release of three files')]
  const file = join(fleet.content, 'app.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('replicas: 3', 'replicas: 5'))
  rounds.push(await publish(fleet, 'one file changed'))
  say('killing every seed')
  for (const seed of fleet.seeds) seed.kill()
  const last = rounds.at(-1) as Round
  // Nothing is published in this step, so it has no time from a signature.
  const after = await converge(fleet, 'all seeds dead, still serving', last.release, Date.now())
  rounds.push({ ...after, p50Ms: null, maxMs: null })
  return rounds
}

async function publish(fleet: DemoFleet, what: string): Promise<Round> {
  say(`publishing ${what}`)
  const seeds = fleet.seeds.flatMap((seed) => ['--seed', seed.addresses[0] as string])
  const result = await fleet.processes.run([
    'publish',
    CHANNEL,
    fleet.content,
    '--key',
    fleet.key,
    ...seeds,
    '--yes',
    '-m',
    what,
  ])
  return converge(fleet, what, result.release as string, Date.now())
}

async function converge(fleet: DemoFleet, what: string, release: string, sinceMs: number): Promise<Round> {
  const screen = isTerminal() && !isJson() ? createLogUpdate(process.stdout) : undefined
  const lines = await watchConvergence(fleet.nodes, release, sinceMs, CONVERGE_DEADLINE_MS, (picture) =>
    screen?.(table(picture)),
  )
  if (screen !== undefined) screen.done()
  else if (!isJson()) process.stdout.write(`${table(lines)}\n`)
  const times = lines
    .flatMap((line) => (line.afterMs === undefined ? [] : [line.afterMs]))
    .sort((a, b) => a - b)
  const round: Round = {
    what,
    release,
    converged: times.length,
    p50Ms: times[Math.floor(times.length / 2)] ?? null,
    maxMs: times.at(-1) ?? null,
  }
  say(`converged ${round.converged}/${lines.length}`)
  return round
}

function table(lines: readonly NodeLine[]): string {
  return lines
    .map(({ name, region, release, afterMs }) => {
      const mark = afterMs === undefined ? '…' : '✓'
      const time = afterMs === undefined ? '' : `${afterMs} ms`
      return `  ${isTerminal() ? styleText(afterMs === undefined ? 'yellow' : 'green', mark) : mark} ${name}  ${region}  ${release === undefined ? '-'.padEnd(12) : short(release)}  ${time}`
    })
    .join('\n')
}

function summary(fleet: DemoFleet, rounds: readonly Round[], exit: boolean): void {
  const value = {
    nodes: fleet.nodes.length,
    seeds: fleet.seeds.length,
    rounds,
    converged: rounds.every((round) => round.converged === fleet.nodes.length),
  }
  const node = fleet.nodes[0]
  const text = rounds.map(({ what, converged, p50Ms, maxMs }) => {
    const times = p50Ms === null ? '' : `, median ${p50Ms} ms, slowest ${maxMs} ms after signing`
    return `  ${what}: ${converged}/${fleet.nodes.length}${times}`
  })
  const next =
    exit || node === undefined
      ? []
      : [
          '',
          'The nodes go on until Ctrl-C. Try in another terminal:',
          `  confmesh status --api ${node.api}`,
          `  confmesh get ${CHANNEL} app.yaml --api ${node.api}`,
          `  confmesh log ${CHANNEL} --api ${node.api}`,
        ]
  const own = exit
    ? ['', 'Next: make a fleet of your own with "confmesh init fleet" (README, "Five minutes").']
    : []
  out(value, [
    '',
    `converged ${rounds.at(-1)?.converged ?? 0}/${fleet.nodes.length}`,
    ...text,
    ...next,
    ...own,
  ])
}

/**
 * Ctrl-C, a terminal that is closed, or whoever ends this process: once for all, so that a second one does not leave the
 * keys behind.
 * @returns what lets the signal do what it would have done
 */
function interrupted(): Promise<() => void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals): void =>
      resolve(() => {
        for (const one of signals) process.off(one, heard)
        process.kill(process.pid, signal)
      })
    for (const signal of signals) process.on(signal, heard)
  })
}
