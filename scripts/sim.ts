/**
 * Runs simulated fleets: `npm run sim -- --seeds 200` for seeds 1 … 200, `--seed 17` for one with its whole trace.
 * Exit code 1 where a promise broke; each failing seed is printed with the command that replays it.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type RunResult, runSeed } from '../src/sim/run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
})

if (!isMainThread) await work(workerData as { first: number; last: number; step: number })
else if (values.seed !== undefined) await replay(Number(values.seed))
else await many(Number(values.from), Number(values.from) + Number(values.seeds) - 1)

async function work({ first, last, step }: { first: number; last: number; step: number }): Promise<void> {
  for (let seed = first; seed <= last; seed += step)
    parentPort?.postMessage({ ...(await runSeed(seed)), trace: [] })
}

async function replay(seed: number): Promise<void> {
  const result = await runSeed(seed)
  for (const line of result.trace) console.log(line)
  console.log(verdict(result))
  process.exitCode = result.ok ? 0 : 1
}

async function many(first: number, last: number): Promise<void> {
  const results: RunResult[] = []
  const workers = Math.min(availableParallelism(), last - first + 1)
  const startedMs = performance.now()
  await Promise.all(
    Array.from(
      { length: workers },
      (_, at) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), {
            workerData: { first: first + at, last, step: workers },
            // Almost all a run allocates is garbage at once: room for it saves a tenth of the time.
            resourceLimits: { maxYoungGenerationSizeMb: 64 },
          })
          worker.on('message', (result: RunResult) => {
            results.push(result)
            if (!result.ok) console.log(verdict(result))
            if (process.stderr.isTTY === true)
              process.stderr.write(`\r${results.length}/${last - first + 1} seeds`)
          })
          worker.once('error', reject)
          worker.once('exit', () => resolve())
        }),
    ),
  )
  const failed = results.filter((result) => !result.ok)
  const healed = results
    .flatMap(({ settledAfterMs }) => (settledAfterMs === undefined ? [] : [settledAfterMs]))
    .sort((a, b) => a - b)
  const nodes = results.reduce((sum, result) => sum + result.nodes, 0)
  console.log(
    `${results.length} seeds, ${nodes} nodes, ${failed.length} failed; healed after ${at(healed, 0.5)} s (median), ${at(healed, 1)} s (worst); ${Math.round((performance.now() - startedMs) / 1000)} s`,
  )
  process.exitCode = failed.length === 0 ? 0 : 1
}

function at(sorted: readonly number[], share: number): string {
  return sorted.length === 0
    ? '-'
    : ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000).toFixed(1)
}

function verdict({ seed, nodes, ok, problem, digest }: RunResult): string {
  return ok
    ? `seed ${seed}: ${nodes} nodes, ok, ${digest.slice(0, 16)}`
    : `seed ${seed}: ${nodes} nodes, ${problem}\n  replay: npm run sim -- --seed ${seed}`
}
