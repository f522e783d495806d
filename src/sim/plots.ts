/** What may happen to a fleet, each kind of trouble drawn from the scenario's own random numbers. */
import type { Channel, Name } from '../model/ids.ts'
import { GOSSIP } from './gossip.ts'
import { type Happening, type Scenario, TROUBLE_MS } from './happening.ts'
import { HOSTILE_KINDS, type HostileKind } from './hostile.ts'
import { between, chance, pick, type Random, shuffled } from './random.ts'
import { VAULT_PUBLISHER } from './trust.ts'

type Plot = Pick<Scenario, 'happenings'> &
  Partial<Pick<Scenario, 'calmFromMs' | 'healingBoundMs' | 'hostile'>>

/** One publisher's word is enough here. */
const OPEN_CHANNELS = ['payments/prod', 'edge/routes'] as Channel[]
const VAULT = 'vault/keys' as Channel
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const some = (random: Random, most: number): number => Math.floor(random() * (most + 1))
const someSeed = (random: Random, seeds: number): number => Math.floor(random() * seeds)

export function publications(random: Random, seeds: number): Happening[] {
  const channels = OPEN_CHANNELS.slice(0, chance(random, 0.5) ? 1 : 2)
  const count = Math.round(between(random, 4, 10))
  return Array.from({ length: count }, (_, at) => {
    const vault = chance(random, 0.15)
    return {
      kind: 'publish' as const,
      atMs: 3_000 + (at * (TROUBLE_MS - 4_500)) / count + between(random, 0, 1_000),
      channel: vault ? VAULT : pick(random, channels),
      publisher: vault ? VAULT_PUBLISHER : ((chance(random, 0.75) ? 'alpha' : 'beta') as Name),
      seed: someSeed(random, seeds),
      bytes: Math.round(chance(random, 0.6) ? between(random, 10, 4_000) : between(random, 20_000, 200_000)),
      sick: chance(random, 0.1),
      twin: chance(random, 0.08),
    }
  })
}

export function faults(random: Random, nodes: number): Happening[] {
  const list: Happening[] = []
  const at = (): number => between(random, 2_000, TROUBLE_MS - 100)
  for (let n = some(random, 6); n > 0; n--) {
    const disk = pick(random, ['keep', 'keep', 'keep', 'lose-store', 'rot', 'flip'] as const)
    list.push({
      kind: 'crash',
      atMs: at(),
      node: Math.floor(random() * nodes),
      downMs: between(random, 100, 5_000),
      disk,
    })
  }
  for (let n = some(random, 2); n > 0; n--) list.push(partition(random, nodes, at()))
  for (let n = some(random, 2); n > 0; n--) {
    list.push({
      kind: 'storm',
      atMs: at(),
      lose: pick(random, [0.2, 0.9, 1]),
      hang: between(random, 0, 0.05),
      delayMs: between(random, 20, 400),
      forMs: between(random, 1_000, 8_000),
    })
  }
  for (let n = some(random, 3); n > 0; n--) {
    const seed = Math.floor(random() * 2)
    list.push({ kind: 'replay', atMs: between(random, 10_000, TROUBLE_MS - 100), seed, which: random() })
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

/**
 * Two sides of any size, one node alone, several islands, or two sides that do not reach each other while some nodes
 * between them reach both; releases go on at seeds of each.
 */
function partition(random: Random, nodes: number, atMs: number): Happening {
  const shape = pick(random, ['two', 'two', 'alone', 'islands', 'bridged'] as const)
  const share = between(random, 0.1, 0.6)
  const islands = 2 + some(random, 3)
  const alone = Math.floor(random() * nodes)
  const side = (node: number): number => {
    if (shape === 'alone') return node === alone ? 1 : 0
    if (shape === 'bridged' && chance(random, 0.15)) return -1
    return shape === 'islands' ? Math.floor(random() * islands) : Number(chance(random, share))
  }
  const sides = Array.from({ length: nodes }, (_, node) => side(node))
  return { kind: 'partition', atMs, sides, forMs: between(random, 1_000, 10_000) }
}

/**
 * The network splits between the seeds, and each side goes on: releases at both, two of them in one place, a root that
 * only one side has.
 */
export function divided(random: Random, seeds: number, nodes: number): Happening[] {
  const atMs = between(random, 8_000, 14_000)
  const forMs = between(random, 8_000, 14_000)
  const during = (): number => atMs + between(random, 500, forMs - 500)
  const sides = Array.from({ length: nodes }, (_, node) =>
    node < seeds ? node % 2 : Number(chance(random, 0.5)),
  )
  const channel = pick(random, OPEN_CHANNELS)
  const publish = (publisher: Name, seed: number, twin: boolean): Happening => ({
    kind: 'publish',
    atMs: during(),
    channel,
    publisher,
    seed,
    bytes: Math.round(between(random, 10, 40_000)),
    sick: false,
    twin,
  })
  const both = [publish('alpha' as Name, 0, false), publish('beta' as Name, 1, false)]
  const twins = chance(random, 0.5) ? [publish('alpha' as Name, 0, true)] : []
  const root: Happening[] = chance(random, 0.5) ? [{ kind: 'renew', atMs: during(), seed: 1 }] : []
  return [{ kind: 'partition', atMs, sides, forMs }, ...both, ...twins, ...root]
}

/** Wall clocks of a third of the nodes jump, by up to a day, forth and back. */
export function jumps(random: Random, nodes: number): Happening[] {
  return Array.from({ length: nodes }, (_, node) => node).flatMap((node) =>
    chance(random, 1 / 3)
      ? Array.from({ length: 1 + some(random, 1) }, () => ({
          kind: 'clock' as const,
          atMs: between(random, 2_000, TROUBLE_MS),
          node,
          byMs: pick(random, [-DAY_MS, -HOUR_MS, HOUR_MS, DAY_MS]),
        }))
      : [],
  )
}

/** Connections that look alive and carry one way only. */
export function grayNodes(random: Random, nodes: number): Happening[] {
  return Array.from({ length: 1 + some(random, 1) }, () => ({
    kind: 'gray' as const,
    atMs: between(random, 3_000, TROUBLE_MS - 3_000),
    node: Math.floor(random() * nodes),
    how: pick(random, ['mute', 'deaf'] as const),
    forMs: between(random, 1_000, 12_000),
  }))
}

export function roots(random: Random, seeds: number): Happening[] {
  const count = chance(random, 0.6) ? 1 + some(random, 1) : 0
  return Array.from({ length: count }, () => ({
    kind: 'renew' as const,
    atMs: between(random, 3_000, TROUBLE_MS - 1_000),
    seed: someSeed(random, seeds),
  }))
}

export function forgeries(random: Random, seeds: number, nodes: number): Happening[] {
  return Array.from({ length: some(random, 2) }, () => ({
    kind: 'forge' as const,
    atMs: between(random, 4_000, TROUBLE_MS - 500),
    how: pick(random, ['one-key', 'one-key-twice', 'stranger'] as const),
    seed: someSeed(random, seeds),
    heardBy: Math.floor(random() * nodes),
  }))
}

/** Counters up to the greatest there is, then a root without the key; what the thief signs afterwards counts nothing. */
export function theft(random: Random, seeds: number): Happening[] {
  const atMs = between(random, 8_000, 26_000)
  const recoverMs = atMs + between(random, 1_500, 8_000)
  const steals = Array.from({ length: 1 + some(random, 2) }, (_, n) => {
    const counter = pick(random, [0, 1_000_000, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER])
    return {
      kind: 'steal' as const,
      atMs: atMs + n * between(random, 100, 1_200),
      channel: pick(random, OPEN_CHANNELS),
      seed: someSeed(random, seeds),
      ...(counter === 0 ? {} : { counter }),
    }
  })
  const after = Array.from({ length: 1 + some(random, 1) }, () => ({
    kind: 'forge' as const,
    atMs: recoverMs + between(random, 500, 6_000),
    how: 'dropped-key' as const,
    seed: someSeed(random, seeds),
    heardBy: Math.floor(random() * seeds),
  }))
  return [...steals, { kind: 'recover', atMs: recoverMs, seed: someSeed(random, seeds) }, ...after]
}

/** The network is gone for everybody, or every seed is dead; some nodes restart meanwhile. */
export function darkness(random: Random, seeds: number, nodes: number): Happening[] {
  const atMs = between(random, 12_000, 20_000)
  const forMs = between(random, 8_000, 16_000)
  const restarts = Array.from({ length: 3 }, () => ({
    kind: 'crash' as const,
    atMs: atMs + between(random, 200, 3_000),
    node: seeds + Math.floor(random() * (nodes - seeds)),
    downMs: between(random, 100, 1_500),
    disk: 'keep' as const,
  }))
  if (chance(random, 0.5)) {
    const sides = Array.from({ length: nodes }, (_, node) => node + 1)
    return [{ kind: 'partition', atMs, sides, forMs }, ...restarts]
  }
  const dead = Array.from({ length: seeds }, (_, node) => ({
    kind: 'crash' as const,
    atMs: atMs + node,
    node,
    downMs: forMs,
    disk: 'keep' as const,
  }))
  return [...dead, ...restarts]
}

/**
 * Nothing visible happens, yet no offer arrives that follows a release at once, and no gossip as long as gossip tells of
 * it. Connections stay, and the bound ends before the next beacon (they come every 20 s from the start on), so that only
 * the periodic comparison can repair this. What that hands over does arrive: handed over in vain, it waits ten seconds.
 */
export function silentLoss(random: Random, seeds: number): Plot {
  const publish = (atMs: number): Happening => ({
    kind: 'publish',
    atMs,
    channel: pick(random, OPEN_CHANNELS),
    publisher: 'beta' as Name,
    seed: someSeed(random, seeds),
    bytes: Math.round(between(random, 10, 30_000)),
    sick: false,
    twin: false,
  })
  const [fromMs, calmFromMs] = [42_000, 52_000]
  const late = between(random, 42_100, calmFromMs - (GOSSIP.told + 1) * GOSSIP.heartbeatMs)
  const offered = late + 500
  const storm = { kind: 'storm', lose: 1, hang: 0, delayMs: 10 } as const
  return {
    happenings: [
      publish(between(random, 5_000, 25_000)),
      { ...storm, atMs: fromMs, forMs: offered - fromMs, swallow: 1 },
      publish(late),
      { ...storm, atMs: offered + 1, forMs: calmFromMs - offered - 1 },
    ],
    calmFromMs,
    healingBoundMs: 7_500,
  }
}

/** @param share of all nodes; of every kind in turn */
export function someHostile(
  random: Random,
  seeds: number,
  nodes: number,
  share = 1 / 5,
  kinds = HOSTILE_KINDS,
): Map<number, HostileKind> {
  const others = shuffled(
    Array.from({ length: nodes - seeds }, (_, at) => seeds + at),
    random,
  )
  const hostile = others.slice(0, Math.floor(nodes * share)).sort((a, b) => a - b)
  return new Map(hostile.map((node, at) => [node, kinds[at % kinds.length] as HostileKind]))
}

/** A fifth of the nodes is hostile, and they are all that one of the honest ones gets to see for a while. */
export function besieged(random: Random, seeds: number, nodes: number): Plot {
  const hostile = someHostile(random, seeds, nodes)
  const honest = Array.from({ length: nodes - seeds }, (_, at) => seeds + at).filter(
    (node) => !hostile.has(node),
  )
  const atMs = between(random, 10_000, 13_000)
  const forMs = 76_000
  const releases = publications(random, seeds).map((happening) => ({
    ...happening,
    sick: false,
    twin: false,
  }))
  const eclipse = {
    kind: 'eclipse',
    atMs,
    node: pick(random, honest),
    by: [...hostile.keys()],
    forMs,
  } as const
  return { hostile, happenings: [...releases, eclipse], calmFromMs: atMs + forMs }
}

/** One node is alone, or hears everything but releases, for longer than it may take to notice. */
export function cutOff(random: Random, seeds: number, minNodes: number): Plot {
  const how = pick(random, ['alone', 'withheld'] as const)
  const beforehand = publications(random, seeds).slice(0, 2)
  const atMs = between(random, 12_000, 15_000)
  const node = seeds + Math.floor(random() * (minNodes - seeds))
  const publish: Happening = {
    kind: 'publish',
    atMs: atMs + between(random, 500, 6_000),
    channel: beforehand[0]?.kind === 'publish' ? beforehand[0].channel : VAULT,
    publisher: 'beta' as Name,
    seed: someSeed(random, seeds),
    bytes: Math.round(between(random, 10, 60_000)),
    sick: false,
    twin: false,
  }
  const forMs = 76_000
  const first = beforehand.map((happening, n) => ({
    ...happening,
    atMs: 3_000 + 3_000 * n,
    twin: false,
    sick: false,
  }))
  return {
    happenings: [...first, { kind: 'cut-off', atMs, node, how, forMs }, publish],
    calmFromMs: atMs + forMs,
  }
}
