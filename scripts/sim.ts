/**
 * Runs simulated fleets: `npm run sim -- --seeds 200` for seeds 1 … 200, `--seed 17` for one with its whole trace.
 * `--seed 17 --shrink` looks for the fewest happenings that break the same promise; `--seed 17 --only 3,7` runs those
 * alone. `--nodes 5-12` is the size of the fleets. `--night` runs 10,000 seeds and keeps what failed in a file.
 * Exit code 1 where a promise broke, or a seed was not run; each failing seed is printed with the command that replays it.
 */
import { appendFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { Size } from '../src/sim/happening.ts'
import { ORDINARY, type RunResult, runSeed, shrinkSeed } from '../src/sim/run.ts'
import { optionsOf, wholeNumber } from './options.ts'
import { revision } from './revision.ts'

const { values } = optionsOf({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    only: { type: 'string' },
    nodes: { type: 'string' },
    workers: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    night: { type: 'boolean', default: false },
  },
})

const NIGHT_SEEDS = 10_000
const PROGRESS_EVERY_MS = 60_000

interface Share {
  readonly first: number
  readonly last: number
  readonly step: number
  readonly size: Size
}

if (!isMainThread) await work(workerData as Share)
else if (values.seed === undefined) await many(wholeNumber('from', values.from, 0), sizeOf(values.nodes))
else if (values.shrink) await shorten(wholeNumber('seed', values.seed, 0), sizeOf(values.nodes))
else await replay(wholeNumber('seed', values.seed, 0), sizeOf(values.nodes), numbersOf(values.only))

async function work({ first, last, step, size }: Share): Promise<void> {
  for (let seed = first; seed <= last; seed += step)
    parentPort?.postMessage({ ...(await runSeed(seed, { size })), trace: [] })
}

async function replay(seed: number, size: Size, only: readonly number[] | undefined): Promise<void> {
  const result = await runSeed(seed, { size, only })
  for (const line of result.trace) console.log(line)
  console.log(verdict(result, size, only))
  process.exitCode = result.ok ? 0 : 1
}

async function shorten(seed: number, size: Size): Promise<void> {
  const only = await shrinkSeed(seed, { size })
  if (only === undefined) console.log(`seed ${seed} breaks no promise`)
  else await replay(seed, size, only)
}

async function many(first: number, size: Size): Promise<void> {
  const usual = values.night ? NIGHT_SEEDS : 20
  const count = values.seeds === undefined ? usual : wholeNumber('seeds', values.seeds)
  const startedMs = performance.now()
  // Before the run: commits may be made meanwhile.
  const commit = revision()
  const results: RunResult[] = []
  const keep = `sim-failed-${new Date().toISOString().slice(0, 10)}.txt`
  let saidMs = startedMs
  await spread(first, first + count - 1, size, (result) => {
    results.push(result)
    if (!result.ok) {
      console.log(verdict(result, size))
      if (values.night) appendFileSync(keep, `${verdict(result, size)}\n`)
    }
    if (process.stderr.isTTY === true) process.stderr.write(`\r${results.length}/${count} seeds`)
    if (!values.night || performance.now() - saidMs < PROGRESS_EVERY_MS) return
    saidMs = performance.now()
    console.log(summary(results, startedMs, commit))
  })
  console.log(summary(results, startedMs, commit))
  const failed = results.filter(({ ok }) => !ok).length
  if (failed > 0 && values.night) console.log(`failing seeds are kept in ${keep}`)
  process.exitCode = failed === 0 && results.length === count ? 0 : 1
}

/** Over all cores, each with every n-th seed. */
async function spread(
  first: number,
  last: number,
  size: Size,
  onResult: (result: RunResult) => void,
): Promise<void> {
  const most = values.workers === undefined ? availableParallelism() : wholeNumber('workers', values.workers)
  const workers = Math.min(most, last - first + 1)
  const one = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const share: Share = { first: first + at, last, step: workers, size }
      const worker = new Worker(new URL(import.meta.url), {
        workerData: share,
        // Almost all a run allocates is garbage at once: room for it saves a tenth of the time.
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      })
      worker.on('message', onResult)
      worker.once('error', reject)
      worker.once('exit', () => resolve())
    })
  await Promise.all(Array.from({ length: workers }, (_, at) => one(at)))
}

function summary(results: readonly RunResult[], startedMs: number, commit: string): string {
  const failed = results.filter(({ ok }) => !ok).length
  const nodes = results.reduce((sum, result) => sum + result.nodes, 0)
  const healed = results.flatMap(({ settledAfterMs }) => settledAfterMs ?? []).sort((a, b) => a - b)
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  return `${results.length} seeds, ${nodes} nodes, ${failed} failed; healed after ${at(healed, 0.5)} s (median), ${at(healed, 1)} s (worst); ${seconds} s; commit ${commit}`
}

function at(sorted: readonly number[], share: number): string {
  return sorted.length === 0
    ? '-'
    : ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000).toFixed(1)
}

function verdict(
  { seed, nodes, ok, problem, digest }: RunResult,
  size: Size,
  only?: readonly number[],
): string {
  if (ok) return `seed ${seed}: ${nodes} nodes, ok, ${digest.slice(0, 16)}`
  const sized = size === ORDINARY ? '' : ` --nodes ${size.minNodes}-${size.maxNodes}`
  const which = only === undefined ? '' : ` --only ${only.join(',')}`
  return `seed ${seed}: ${nodes} nodes, ${problem}\n  replay: npm run sim -- --seed ${seed}${sized}${which}`
}

/** `5-12`: the least and the most nodes of a fleet. */
function sizeOf(text: string | undefined): Size {
  if (text === undefined) return ORDINARY
  const [low, high = low] = text.split('-').map(Number)
  // A scenario has up to three seeds, and others beside them.
  if (!Number.isInteger(low) || !Number.isInteger(high) || low === undefined || low < 5 || (high ?? 0) < low)
    throw new Error(`--nodes: expected as 20-50, 5 at least, found ${text}`)
  return { minNodes: low, maxNodes: high ?? low }
}

function numbersOf(text: string | undefined): readonly number[] | undefined {
  return text
    ?.split(',')
    .filter(Boolean)
    .map((one) => wholeNumber('only', one, 0))
}
