/**
 * How far an attacker's nodes delay an honest fleet: the same fleet and the same releases twice, once with all nodes
 * honest, once with a share of them hostile, who eclipse one of the others besides.
 */
import type { Channel, Name, ReleaseId } from '../model/ids.ts'
import type { Happening, Scenario } from './happening.ts'
import { HOSTILE_KINDS, type HostileKind } from './hostile.ts'
import { someHostile } from './plots.ts'
import { stream } from './random.ts'
import { World } from './world.ts'

export interface Siege {
  readonly seed: number
  readonly nodes: number
  /** Of them that are hostile: a fifth. */
  readonly hostileShare?: number
  /** In turn: all there are. */
  readonly kinds?: readonly HostileKind[]
  /** Seeds and nodes are spread over them in turn: one, unless said otherwise. */
  readonly regions?: readonly Name[]
  /** Told of each second of virtual time. */
  readonly onSecond?: (virtualMs: number) => void
}

/** One release, over the nodes that are honest in both runs, but for the victim. */
export interface Spread {
  readonly bytes: number
  /** Publication → shown, milliseconds. */
  readonly medianMs: number
  readonly lastMs: number
  /** Nodes that never showed it. */
  readonly missing: number
}

export interface SiegeResult {
  readonly hostileNodes: number
  readonly calm: readonly Spread[]
  readonly besieged: readonly Spread[]
  /** What the victim says of the channel in the last second of the eclipse. */
  readonly victimSays: string | undefined
  /** Which promise was broken in either run, or undefined. */
  readonly problem: string | undefined
  /** Of both runs: the same seed gives the same. */
  readonly digests: readonly [calm: string, besieged: string]
}

const SEEDS = 3
/** A fleet that starts at once is admitted at the seeds' rate; after this it stands. */
const SETTLED_MS = 30_000
const EVERY_MS = 4_000
/** In turn with its content in the message, and in blocks of 16 KiB. The first one is there before the eclipse. */
const SIZES = [400, 400, 120_000, 2_000, 600_000]
const ECLIPSE_AT_MS = SETTLED_MS + 0.75 * EVERY_MS
/** So long it may take to notice that nothing comes: the beacons' age by the root, and some. */
const ECLIPSE_MS = 76_000
const CHANNEL = 'payments/prod' as Channel

export async function besiege(siege: Siege): Promise<SiegeResult> {
  const { seed, nodes, hostileShare = 1 / 5, kinds = HOSTILE_KINDS, onSecond } = siege
  const hostile = someHostile(stream(seed, 'siege'), SEEDS, nodes, hostileShare, kinds)
  const victim =
    Array.from({ length: nodes }, (_, at) => at).find((at) => at >= SEEDS && !hostile.has(at)) ?? 0
  const measured = new Set(
    Array.from({ length: nodes }, (_, at) => at).filter((at) => at !== victim && !hostile.has(at)),
  )
  const calm = peaceful(siege)
  const by = [...hostile.keys()]
  const eclipse = { kind: 'eclipse', atMs: ECLIPSE_AT_MS, node: victim, by, forMs: ECLIPSE_MS } as const
  const besieged: Scenario = {
    ...calm,
    hostile,
    happenings: [...calm.happenings, eclipse],
    calmFromMs: ECLIPSE_AT_MS + ECLIPSE_MS,
  }
  const one = await run(calm, measured, victim, onSecond)
  const other = await run(besieged, measured, victim, onSecond)
  return {
    hostileNodes: hostile.size,
    calm: one.spreads,
    besieged: other.spreads,
    victimSays: other.victimSays,
    problem: one.problem ?? other.problem,
    digests: [one.digest, other.digest],
  }
}

function peaceful({ seed, nodes, regions = ['all' as Name] }: Siege): Scenario {
  const happenings: Happening[] = SIZES.map((bytes, at) => ({
    kind: 'publish',
    atMs: SETTLED_MS + at * EVERY_MS,
    channel: CHANNEL,
    publisher: 'alpha' as Name,
    seed: at % SEEDS,
    bytes,
    sick: false,
    twin: false,
  }))
  return {
    seed,
    nodes,
    seeds: SEEDS,
    regions,
    clockErrorsMs: Array.from({ length: nodes }, () => 0),
    hostile: new Map(),
    happenings,
    calmFromMs: SETTLED_MS + SIZES.length * EVERY_MS,
    healingBoundMs: 25_000,
  }
}

async function run(
  scenario: Scenario,
  measured: ReadonlySet<number>,
  victim: number,
  onSecond: (virtualMs: number) => void = () => {},
) {
  const shown = new Map<ReleaseId, number[]>()
  const world = new World(scenario, {
    onShow: (node, release, nowMs) => {
      if (measured.has(node)) shown.set(release, [...(shown.get(release) ?? []), nowMs])
    },
  })
  const { calmFromMs, healingBoundMs, happenings } = scenario
  const tell = (): boolean => {
    onSecond(world.time.nowMs)
    return false
  }
  await world.run(calmFromMs - 1_000, tell)
  const channels = world.nodes[victim]?.view()?.channels
  const victimSays = channels?.find(({ channel }) => channel === CHANNEL)?.freshness
  if (world.broken === undefined)
    await world.run(calmFromMs + healingBoundMs, () => tell() || world.unsettled() === undefined)
  const broken = world.broken ?? world.unsettled()
  // Releases come one after the other, so the order of their first appearance is that of their publication.
  const seen = [...shown.values()]
  const spreads = happenings.flatMap((what) => (what.kind === 'publish' ? [what] : []))
  return {
    spreads: spreads.map(({ atMs, bytes }, at) => spreadOf(bytes, atMs, seen[at] ?? [], measured.size)),
    victimSays,
    digest: world.digest,
    problem: broken && `promise ${broken.promise}: ${broken.text}`,
  }
}

function spreadOf(bytes: number, sinceMs: number, shown: readonly number[], count: number): Spread {
  const after = shown.map((ms) => ms - sinceMs).sort((a, b) => a - b)
  return {
    bytes,
    medianMs: after[Math.floor(after.length / 2)] ?? Number.NaN,
    lastMs: after.at(-1) ?? Number.NaN,
    missing: count - after.length,
  }
}
