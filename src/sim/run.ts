import type { Scenario, Size } from './happening.ts'
import type { CreateCore } from './node.ts'
import { scenarioOf } from './scenario.ts'
import { shrink } from './shrink.ts'
import { World } from './world.ts'

export interface RunResult {
  readonly seed: number
  readonly nodes: number
  readonly ok: boolean
  /** Why not, or undefined. */
  readonly problem: string | undefined
  /** Which promise was broken (docs/architecture.md), or undefined. */
  readonly promise: number | undefined
  /** Virtual time of the end: of convergence, or of the problem. */
  readonly endedMs: number
  /** Virtual milliseconds from the end of the last fault to convergence, looked at every second. */
  readonly settledAfterMs: number | undefined
  /** What the bridge brought over region borders. */
  readonly bridged: number
  /** Equal for equal seeds. */
  readonly digest: string
  readonly trace: readonly string[]
}

export interface RunOptions {
  readonly size?: Size
  /** Numbers of the happenings that are left in, counted from 1; all of them where undefined. */
  readonly only?: readonly number[] | undefined
  /** How cores are made: tests break them. */
  readonly createCore?: CreateCore
}

export const ORDINARY: Size = { minNodes: 20, maxNodes: 50 }
/** Some minutes of one core. */
const MAX_SHRINK_RUNS = 300

/** One run: trouble first, then calm, then convergence is demanded. */
export function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const scenario = scenarioOf(seed, options.size ?? ORDINARY)
  const { only } = options
  return runScenario(only === undefined ? scenario : narrowed(scenario, only), options.createCore)
}

/**
 * The shortest list of happenings found that breaks the same promise as the whole seed does, in the numbers of
 * `RunOptions.only`; undefined where the seed breaks none.
 */
export async function shrinkSeed(
  seed: number,
  options: Omit<RunOptions, 'only'> = {},
): Promise<readonly number[] | undefined> {
  const { happenings } = scenarioOf(seed, options.size ?? ORDINARY)
  const { promise, endedMs } = await runSeed(seed, options)
  if (promise === undefined) return undefined
  const fails = async (only: readonly number[]): Promise<boolean> =>
    (await runSeed(seed, { ...options, only })).promise === promise
  // What would have happened after the end did nothing.
  const numbers = happenings.flatMap(({ atMs }, at) => (atMs <= endedMs ? [at + 1] : []))
  return shrink(numbers, fails, MAX_SHRINK_RUNS)
}

const narrowed = (scenario: Scenario, only: readonly number[]): Scenario => ({
  ...scenario,
  happenings: scenario.happenings.filter((_, at) => only.includes(at + 1)),
})

async function runScenario(scenario: Scenario, createCore?: CreateCore): Promise<RunResult> {
  const world = new World(scenario, { createCore })
  const { calmFromMs, healingBoundMs } = scenario
  await world.run(calmFromMs)
  if (world.broken === undefined)
    await world.run(calmFromMs + healingBoundMs, () => world.unsettled() === undefined)
  const broken = world.broken ?? world.unsettled()
  const problem = broken === undefined ? undefined : `promise ${broken.promise}: ${broken.text}`
  return {
    seed: scenario.seed,
    nodes: scenario.nodes,
    ok: problem === undefined,
    problem,
    promise: broken?.promise,
    endedMs: world.time.nowMs,
    settledAfterMs: problem === undefined ? world.time.nowMs - calmFromMs : undefined,
    bridged: world.bridged,
    digest: world.digest,
    trace: world.trace,
  }
}
