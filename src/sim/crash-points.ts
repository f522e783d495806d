/**
 * One small fleet through a short eventful life, again and again: each time one node dies, or its disk fails, at
 * another point. After that it comes back, and every checker looks on, all along and at the end.
 */
import type { Effect } from '../core/effects.ts'
import { createNode, type NodeCore } from '../core/node.ts'
import type { Channel, Name } from '../model/ids.ts'
import type { WriteFate } from './disk.ts'
import type { Happening, Scenario } from './happening.ts'
import type { CreateCore, SimNode } from './node.ts'
import { VAULT_PUBLISHER } from './trust.ts'
import { World } from './world.ts'

/** `effect`: dies before it. `flip`: a record is damaged while the node is down. The rest: what becomes of a write. */
export const POINT_KINDS = [
  'effect',
  'die-before',
  'die-torn',
  'die-unshown',
  'die-after',
  'full',
  'io-error',
  'flip',
] as const

export interface Point {
  readonly kind: (typeof POINT_KINDS)[number]
  /** Its number in the fleet: 0 and 1 are seeds. */
  readonly node: number
  /** Which effect, write or record, from 0. */
  readonly at: number
}

export interface Reached {
  /** What was broken, or undefined. */
  readonly problem: string | undefined
  /** How many effects, writes and records of the node there were to choose from. */
  readonly effects: number
  readonly writes: number
  readonly records: number
  /** Names of the effects that a death before them was counted for. */
  readonly names: ReadonlySet<string>
}

const OPEN = 'payments/prod' as Channel
const WIDE = 'edge/routes' as Channel
const [alpha, beta] = ['alpha', 'beta'] as [Name, Name]

const publish = (
  atMs: number,
  channel: Channel,
  publisher: Name,
  bytes: number,
  more: { readonly twin?: boolean; readonly sick?: boolean } = {},
): Happening => ({
  kind: 'publish',
  atMs,
  channel,
  publisher,
  seed: atMs % 2,
  bytes,
  sick: more.sick === true,
  twin: more.twin === true,
})

/** The cache is collected half a minute after the first release; what it took too much of is seen some seconds later. */
const CALM_FROM_MS = 38_000
const DOWN_MS = 700
const FULL_MS = 2_500
/** When the node is taken down for its record to be damaged: it has seen everything by then, but for the collection. */
const FLIP_AT_MS = 27_000

/**
 * Releases of every kind, two in one place and what ends that, a root that changes nothing, a theft and its repair, all of
 * it over a region border; then one node is not heard for a while, and catches up with a release and a root it missed; at
 * last the cache is looked at.
 */
const LIFE: Scenario = {
  /** One with which its nodes come to each kind of effect, some by chance: `test/sim/crash-effects.test.ts`. */
  seed: 48,
  nodes: 5,
  seeds: 2,
  regions: ['eu', 'us'] as Name[],
  clockErrorsMs: [0, 0, 86_400_000, -86_400_000, 0],
  healingBoundMs: 25_000,
  hostile: new Map(),
  cacheBytes: 0,
  calmFromMs: CALM_FROM_MS,
  happenings: [
    publish(2_000, OPEN, alpha, 1_200),
    publish(3_001, WIDE, beta, 60_000),
    publish(3_800, 'vault/keys' as Channel, VAULT_PUBLISHER, 300),
    publish(4_501, OPEN, alpha, 700, { twin: true }),
    { kind: 'renew', atMs: 5_500, seed: 0 },
    publish(6_000, WIDE, alpha, 2_000, { sick: true }),
    publish(7_001, OPEN, beta, 20_000),
    { kind: 'steal', atMs: 8_000, channel: OPEN, seed: 1, counter: Number.MAX_SAFE_INTEGER },
    { kind: 'recover', atMs: 9_000, seed: 0 },
    publish(10_001, WIDE, beta, 40_000),
    { kind: 'gray', atMs: 11_000, node: 4, how: 'mute', forMs: 12_000 },
    publish(13_000, OPEN, beta, 30_000),
    { kind: 'renew', atMs: 14_000, seed: 1 },
  ],
}

/** Runs that life once, through the point if one is given. */
export async function runPoint(node: number, point?: Point, make: CreateCore = createNode): Promise<Reached> {
  const steps = new Steps(point?.kind === 'effect' ? point.at : undefined)
  const createCore: CreateCore = (config) => {
    const core = make(config)
    return config.self === world.nodes[node]?.peer ? steps.count(core) : core
  }
  const world: World = new World(LIFE, { createCore })
  const one = world.nodes[node]
  if (one === undefined) throw new RangeError(`the fleet has no node ${node}`)
  const comeBack = (): void => void world.time.after(DOWN_MS, () => void one.start())
  one.afterStep = () => {
    if (!steps.dies()) return
    one.crash()
    comeBack()
  }
  if (point !== undefined && point.kind !== 'effect') arrange(world, one, point.kind, point.at, comeBack)
  let records = 0
  world.time.after(FLIP_AT_MS, () => {
    records = one.parts.disk.records().length
  })
  await world.run(CALM_FROM_MS)
  if (world.broken === undefined)
    await world.run(CALM_FROM_MS + LIFE.healingBoundMs, () => world.unsettled() === undefined)
  const broken = world.broken ?? world.unsettled()
  const problem = broken === undefined ? undefined : `promise ${broken.promise}: ${broken.text}`
  return { problem, effects: steps.counted, writes: one.parts.disk.writes, records, names: steps.names }
}

function arrange(
  world: World,
  node: SimNode,
  kind: Exclude<Point['kind'], 'effect'>,
  at: number,
  comeBack: () => void,
): void {
  const { disk } = node.parts
  if (kind === 'flip') {
    world.time.after(FLIP_AT_MS, () => {
      const key = disk.records()[at]
      node.crash()
      if (key !== undefined) disk.flipRecord(key)
      comeBack()
    })
    return
  }
  disk.onDeath = () => {
    node.crash()
    comeBack()
  }
  const full = (): WriteFate => {
    disk.full = true
    world.time.after(FULL_MS, () => {
      disk.full = false
    })
    return 'full'
  }
  disk.fate = (write) => (write !== at ? 'ok' : kind === 'full' ? full() : kind)
}

/** Each point of a kind, every `stride`-th of them from `first` on. */
export function* pointsOf(node: number, reached: Reached, stride = 1, first = 0): Generator<Point> {
  for (const kind of POINT_KINDS) {
    const count = kind === 'effect' ? reached.effects : kind === 'flip' ? reached.records : reached.writes
    for (let at = first; at < count; at += stride) yield { kind, node, at }
  }
}

/**
 * What the world cannot tell apart from the effect before: dying there is dying at the next one. An activation that is taken
 * back, too: it ends with the process.
 */
const UNSEEN = new Set(['note', 'count', 'observe', 'wake', 'withdraw'])

/** Kind of an effect, and of messages what they are. */
function nameOf(effect: Effect): string {
  if (effect.kind === 'request') return `request ${effect.request.protocol} ${effect.request.message.type}`
  if (effect.kind === 'reply') return `reply ${effect.reply.protocol} ${effect.reply.message.type}`
  return effect.kind
}

/** Counts the effects of a node over its lives, and ends a step before the chosen one. */
class Steps {
  counted = 0
  readonly names = new Set<string>()
  readonly #at: number | undefined
  #dying = false

  constructor(at: number | undefined) {
    this.#at = at
  }

  /** True once, after the step whose effects were cut short. */
  dies(): boolean {
    const dying = this.#dying
    this.#dying = false
    return dying
  }

  count(core: NodeCore): NodeCore {
    let dead = false
    return {
      view: (now) => core.view(now),
      handle: (event, now) => {
        if (dead) return []
        const effects = core.handle(event, now)
        for (const [index, effect] of effects.entries()) {
          if (UNSEEN.has(effect.kind)) continue
          this.names.add(nameOf(effect))
          if (this.counted++ !== this.#at) continue
          this.#dying = true
          dead = true
          return effects.slice(0, index)
        }
        return effects
      },
    }
  }
}
