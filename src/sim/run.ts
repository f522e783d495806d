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
  /** Equal for equal seeds. */
  readonly digest: string
  readonly trace: readonly string[]
}

/** Connectivity restored → converged: 20 s, and what a crash at the last moment needs to boot and dial. */
const HEALING_BOUND_MS = 25_000

/** One run: trouble first, then calm, then convergence is demanded. */
export async function runSeed(
  seed: number,
  size: { readonly minNodes: number; readonly maxNodes: number } = { minNodes: 20, maxNodes: 50 },
): Promise<RunResult> {
  const scenario = scenarioOf(seed, size)
  const world = new World(scenario)
  await world.run(scenario.calmFromMs)
  const settled = (): boolean => world.checker.unsettled(world.nodes, world.acknowledged) === undefined
  await world.run(scenario.calmFromMs + HEALING_BOUND_MS, settled)
  const unsettled = world.checker.unsettled(world.nodes, world.acknowledged)
  const broken = world.checker.broken[0]
  const problem =
    broken !== undefined
      ? `promise ${broken.promise}: ${broken.text}`
      : unsettled === undefined
        ? undefined
        : `promise 7: ${unsettled}`
  return {
    seed,
    nodes: scenario.nodes,
    ok: problem === undefined,
    problem,
    settledAfterMs: unsettled === undefined ? world.time.nowMs - scenario.calmFromMs : undefined,
    digest: world.digest,
    trace: world.trace,
  }
}
