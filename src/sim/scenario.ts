import type { Name } from '../model/ids.ts'
import { cachedBytes } from '../runtime/ports.ts'
import { type Happening, type Scenario, type Size, TROUBLE_MS } from './happening.ts'
import type { HostileKind } from './hostile.ts'
import {
  besieged,
  cutOff,
  darkness,
  divided,
  faults,
  forgeries,
  grayNodes,
  jumps,
  publications,
  roots,
  silentLoss,
  someHostile,
  theft,
} from './plots.ts'
import { between, chance, pick, type Random, stream } from './random.ts'

const ONLY_REGION = 'all' as Name
const DAY_MS = 86_400_000
/** Connectivity restored → converged: 20 s, and what a crash at the last moment needs to boot and dial. */
const HEALING_BOUND_MS = 25_000

/** Everything of a run that chance decides in advance follows from its seed. */
export function scenarioOf(seed: number, size: Size): Scenario {
  const random = stream(seed, 'scenario')
  const nodes = Math.round(between(random, size.minNodes, size.maxNodes))
  const seeds = chance(random, 0.5) ? 2 : 3
  const plot = stream(seed, 'plot')()
  const base = {
    seed,
    seeds,
    regions: [ONLY_REGION],
    healingBoundMs: HEALING_BOUND_MS,
    hostile: new Map<number, HostileKind>(),
    calmFromMs: TROUBLE_MS,
    clockErrorsMs: Array.from({ length: nodes }, () =>
      chance(random, 0.33) ? pick(random, [-DAY_MS, DAY_MS]) : 0,
    ),
  }
  if (plot < 0.06) return sorted({ ...base, nodes, ...silentLoss(random, seeds) })
  if (plot < 0.14)
    return sorted({
      ...base,
      nodes: Math.min(nodes, size.minNodes + 4),
      ...cutOff(random, seeds, size.minNodes),
    })
  if (plot < 0.19) return sorted({ ...base, nodes, ...besieged(stream(seed, 'besieged'), seeds, nodes) })
  const happenings = [
    ...publications(random, seeds),
    ...faults(random, nodes),
    ...roots(random, seeds),
    ...forgeries(random, seeds, nodes),
    ...(plot < 0.4 ? theft(random, seeds) : []),
    ...(plot > 0.8 ? darkness(random, seeds, nodes) : []),
    ...sometimes(seed, 'divided', 0.15, (own) => divided(own, seeds, nodes)),
    ...sometimes(seed, 'clocks', 0.3, (own) => jumps(own, nodes)),
    ...sometimes(seed, 'gray', 0.2, (own) => grayNodes(own, nodes)),
  ]
  return sorted({
    ...base,
    nodes,
    regions: regionsOf(seed),
    ...cacheOf(seed),
    hostile: hostileOf(seed, seeds, nodes),
    happenings,
  })
}

/** Troubles with random numbers of their own: one kind more moves nothing else. */
function sometimes(
  seed: number,
  name: string,
  probability: number,
  plot: (random: Random) => readonly Happening[],
): readonly Happening[] {
  const random = stream(seed, name)
  return chance(random, probability) ? plot(random) : []
}

/** In a tenth of the runs a fifth of the nodes, none of them a seed. */
function hostileOf(seed: number, seeds: number, nodes: number): ReadonlyMap<number, HostileKind> {
  const random = stream(seed, 'hostile')
  return chance(random, 0.1) ? someHostile(random, seeds, nodes) : new Map()
}

/** In a third of the runs so small that what nobody keeps goes: all of it, or all but small releases. */
function cacheOf(seed: number): Pick<Scenario, 'cacheBytes'> {
  const random = stream(seed, 'bound')
  return chance(random, 1 / 3) ? { cacheBytes: pick(random, [0, cachedBytes(20_000, 10)]) } : {}
}

/** In a third of the runs two or three, so that one of them may be without a seed. */
function regionsOf(seed: number): readonly Name[] {
  const random = stream(seed, 'regions')
  if (!chance(random, 1 / 3)) return [ONLY_REGION]
  return (['eu', 'us', 'asia'] as Name[]).slice(0, chance(random, 0.5) ? 2 : 3)
}

const sorted = (scenario: Scenario): Scenario => ({
  ...scenario,
  happenings: [...scenario.happenings].sort((a, b) => a.atMs - b.atMs),
})
