import type { Size } from './happening.ts'
import { scenarioOf } from './scenario.ts'
import { World } from './world.ts'

export interface RunResult {
  readonly seed: number
  readonly nodes: number
  readonly ok: boolean
  /** Why not, or undefined. */
  readonly problem: string | undefined
  /** Virtual milliseconds from the end of the last fault to convergence, looked at every second. */
  readonly settledAfterMs: number | undefined
  /** What the bridge brought over region borders. */
  readonly bridged: number
  /** Equal for equal seeds. */
  readonly digest: string
  readonly trace: readonly string[]
}

/** One run: trouble first, then calm, then convergence is demanded. */
export async function runSeed(seed: number, size: Size = { minNodes: 20, maxNodes: 50 }): Promise<RunResult> {
  const scenario = scenarioOf(seed, size)
  const world = new World(scenario)
  const { calmFromMs, healingBoundMs } = scenario
  await world.run(calmFromMs)
  if (world.broken === undefined)
    await world.run(calmFromMs + healingBoundMs, () => world.unsettled() === undefined)
  const broken = world.broken ?? world.unsettled()
  const problem = broken === undefined ? undefined : `promise ${broken.promise}: ${broken.text}`
  return {
    seed,
    nodes: scenario.nodes,
    ok: problem === undefined,
    problem,
    settledAfterMs: problem === undefined ? world.time.nowMs - calmFromMs : undefined,
    bridged: world.bridged,
    digest: world.digest,
    trace: world.trace,
  }
}
