import type { Channel, Name } from '../model/ids.ts'
import { between, chance, pick, type Random, stream } from './random.ts'

/** One thing that happens to a simulated fleet, at a virtual millisecond. */
export type Happening = { readonly atMs: number } & (
  | {
      readonly kind: 'publish'
      readonly channel: Channel
      readonly publisher: Name
      readonly seed: number
      readonly bytes: number
      readonly sick: boolean
      readonly twin: boolean
    }
  | { readonly kind: 'replay'; readonly seed: number; readonly which: number }
  | {
      readonly kind: 'crash'
      readonly node: number
      readonly downMs: number
      readonly disk: 'keep' | 'lose-store' | 'rot'
    }
  | { readonly kind: 'partition'; readonly sides: readonly number[]; readonly forMs: number }
  | {
      readonly kind: 'storm'
      readonly lose: number
      readonly hang: number
      readonly delayMs: number
      readonly forMs: number
    }
  | { readonly kind: 'disk-full'; readonly node: number; readonly forMs: number }
)

export interface Scenario {
  readonly seed: number
  readonly nodes: number
  readonly seeds: number
  /** Per node: how wrong its wall clock is. */
  readonly clockErrorsMs: readonly number[]
  /** Ascending by time. */
  readonly happenings: readonly Happening[]
  /** When every fault is over. */
  readonly calmFromMs: number
}

const TROUBLE_MS = 40_000
const DAY_MS = 86_400_000

/** Everything of a run that chance decides in advance follows from its seed. */
export function scenarioOf(
  seed: number,
  size: { readonly minNodes: number; readonly maxNodes: number },
): Scenario {
  const random = stream(seed, 'scenario')
  const nodes = Math.round(between(random, size.minNodes, size.maxNodes))
  const seeds = chance(random, 0.5) ? 2 : 3
  const happenings: Happening[] = [...publications(random, seeds), ...faults(random, nodes)]
  return {
    seed,
    nodes,
    seeds,
    clockErrorsMs: Array.from({ length: nodes }, () =>
      chance(random, 0.33) ? pick(random, [-DAY_MS, DAY_MS]) : 0,
    ),
    happenings: happenings.sort((a, b) => a.atMs - b.atMs),
    calmFromMs: TROUBLE_MS,
  }
}

function publications(random: Random, seeds: number): Happening[] {
  const channels = ['payments/prod', 'edge/routes'].slice(0, chance(random, 0.5) ? 1 : 2) as Channel[]
  const count = Math.round(between(random, 4, 10))
  return Array.from({ length: count }, (_, at) => ({
    kind: 'publish' as const,
    atMs: 3_000 + (at * (TROUBLE_MS - 4_500)) / count + between(random, 0, 1_000),
    channel: pick(random, channels),
    publisher: (chance(random, 0.75) ? 'alpha' : 'beta') as Name,
    seed: Math.floor(random() * seeds),
    bytes: Math.round(chance(random, 0.6) ? between(random, 10, 4_000) : between(random, 20_000, 200_000)),
    sick: chance(random, 0.1),
    twin: chance(random, 0.08),
  }))
}

function faults(random: Random, nodes: number): Happening[] {
  const list: Happening[] = []
  const at = (): number => between(random, 2_000, TROUBLE_MS - 100)
  const some = (most: number): number => Math.floor(random() * (most + 1))
  for (let n = some(6); n > 0; n--) {
    const disk = pick(random, ['keep', 'keep', 'keep', 'lose-store', 'rot'] as const)
    list.push({
      kind: 'crash',
      atMs: at(),
      node: Math.floor(random() * nodes),
      downMs: between(random, 100, 5_000),
      disk,
    })
  }
  for (let n = some(2); n > 0; n--) {
    const share = between(random, 0.1, 0.6)
    list.push({
      kind: 'partition',
      atMs: at(),
      sides: Array.from({ length: nodes }, () => (chance(random, share) ? 1 : 0)),
      forMs: between(random, 1_000, 10_000),
    })
  }
  for (let n = some(2); n > 0; n--) {
    list.push({
      kind: 'storm',
      atMs: at(),
      lose: pick(random, [0.2, 0.9, 1]),
      hang: between(random, 0, 0.05),
      delayMs: between(random, 20, 400),
      forMs: between(random, 1_000, 8_000),
    })
  }
  for (let n = some(3); n > 0; n--) {
    list.push({
      kind: 'replay',
      atMs: between(random, 10_000, TROUBLE_MS - 100),
      seed: Math.floor(random() * 2),
      which: random(),
    })
  }
  if (chance(random, 0.3))
    list.push({
      kind: 'disk-full',
      atMs: at(),
      node: Math.floor(random() * nodes),
      forMs: between(random, 1_000, 6_000),
    })
  return list
}
