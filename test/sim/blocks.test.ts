/** Large releases on whole cores: what leaves the seed, what enters a region, and what is left when nodes die. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { Made } from '../../src/sim/fleet.ts'
import { ABROAD_TICKS } from '../../src/sim/planner/deaths.ts'
import { TICKS_PER_MS } from '../../src/sim/planner/ticks.ts'
import type { CoreNode } from './core-node.ts'
import { noise } from './noise.ts'
import { RegionalFleet, type Shape } from './regional-fleet.ts'

const MIB = 1024 * 1024
/** Gateways have said so, links between regions stand. */
const SETTLED_MS = 60_000
const DEADLINE_MS = 60_000

function started(shape: Shape): RegionalFleet {
  const fleet = new RegionalFleet(shape)
  fleet.run(SETTLED_MS)
  return fleet
}

const sizeOf = (made: Made): number =>
  [...made.content.values()].reduce((sum, bytes) => sum + bytes.length, 0)

/** Without the manifest, which goes over the bridge. */
const blocksOf = (made: Made): number =>
  made.header.pages.reduce((left, page) => left - (made.content.get(page)?.length ?? 0), sizeOf(made))

const alive = (fleet: RegionalFleet): CoreNode[] => fleet.nodes.filter(({ silent }) => !silent)

const all = (fleet: RegionalFleet, made: Made) => () => alive(fleet).every((node) => fleet.runs(node, made))

describe('a large release in a fleet of forty', () => {
  test('of one region leaves the seed once', () => {
    const fleet = started({ regions: ['eu'], nodes: 40 })
    const made = fleet.publish('eu', noise(MIB))
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.blockBytes([fleet.seedOf('eu')], 'eu') / sizeOf(made)).toBeLessThanOrEqual(1.05)
    expect(fleet.blockBytes(fleet.nodes, 'eu') / (40 * sizeOf(made))).toBeLessThanOrEqual(1.02)
  }, 120_000)

  test('of two regions leaves the seed once and crosses the border once', () => {
    const fleet = started({ regions: ['eu', 'us'], nodes: 20, seeds: ['eu'] })
    const made = fleet.publish('eu', noise(MIB))
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    const size = sizeOf(made)
    const seed = [fleet.seedOf('eu')]
    expect((fleet.blockBytes(seed, 'eu') + fleet.blockBytes(seed, 'us')) / size).toBeLessThanOrEqual(1.05)
    expect(fleet.blockBytes(fleet.of('eu'), 'us') / size).toBeLessThanOrEqual(1.05)
  }, 120_000)

  test('is completed by all who live when the seed dies once it gave each block away, and a tenth of the nodes with it', () => {
    const fleet = started({ regions: ['eu', 'us'], nodes: 20, seeds: ['eu'] })
    const made = fleet.publish('eu', noise(MIB))
    const seed = fleet.seedOf('eu')
    const blocks = blocksOf(made)
    const given = () => fleet.blockBytes([seed], 'eu') + fleet.blockBytes([seed], 'us') >= blocks
    expect(fleet.run(DEADLINE_MS, given)).toBe(true)
    const dying = [seed, ...['eu', 'us'].flatMap((region) => fleet.of(region).slice(3, 5))]
    // A block whose only holders die would be lost with them.
    const handedOn = () =>
      [...made.content.keys()].every((digest) =>
        fleet.nodes.some((node) => !dying.includes(node) && node.blocks.has(digest)),
      )
    expect(fleet.run(100, handedOn)).toBe(true)
    expect(all(fleet, made)()).toBe(false)
    for (const node of dying) fleet.kill(node)
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
  }, 120_000)

  test('goes on over the border where the other region has lost its seed', () => {
    const fleet = started({ regions: ['eu', 'us'], nodes: 10, seeds: ['eu'] })
    const seed = fleet.seedOf('eu')
    // It knows them no longer when it is to give, and is dead before they could be linked anew.
    for (const node of fleet.of('us')) fleet.part(node, seed)
    fleet.run(10)
    const made = fleet.publish('eu', noise(2 * MIB))
    expect(made.content.size).toBeGreaterThan(20)
    const given = () => fleet.blockBytes([seed], 'eu') >= blocksOf(made)
    expect(fleet.run(DEADLINE_MS, given)).toBe(true)
    fleet.run(20)
    fleet.kill(seed)
    const fromMs = fleet.time.nowMs
    expect(all(fleet, made)()).toBe(false)
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(2_000)
  }, 120_000)

  test('of two regions with a seed each crosses the border once: what the other seed takes its region has from it', () => {
    const fleet = started({ regions: ['eu', 'us'], nodes: 20 })
    const made = fleet.publish('eu', noise(MIB))
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.blockBytes(fleet.of('eu'), 'us') / sizeOf(made)).toBeLessThanOrEqual(1.05)
    expect(fleet.blockBytes(fleet.of('us'), 'eu')).toBe(0)
  }, 120_000)

  test('does not wait for the seed of a region that had yet to get it when it was asked', () => {
    const fleet = started({ regions: ['eu', 'us'], nodes: 10 })
    for (const node of fleet.of('us')) if (!node.isSeed) fleet.part(node, fleet.seedOf('eu'))
    fleet.run(10)
    const made = fleet.publish('eu', noise(2 * MIB))
    const fromMs = fleet.time.nowMs
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(3_000)
  }, 120_000)

  test('of a channel that few nodes store, and no gateway, comes to them at the pace of their seed', () => {
    const stores = (at: number) => at % 10 === 0
    const fleet = started({ regions: ['eu'], nodes: 40, patternOf: (at) => (stores(at) ? 'app/*' : 'web/*') })
    const few = fleet.of('eu').filter(({ isSeed }, at) => !isSeed && stores(at))
    expect(fleet.gatewaysOf('eu').filter((node) => few.includes(node))).toEqual([])
    const made = fleet.publish('eu', noise(8 * MIB))
    const fromMs = fleet.time.nowMs
    expect(fleet.run(DEADLINE_MS, () => few.every((node) => fleet.runs(node, made)))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(3_000)
    expect(fleet.blockBytes([fleet.seedOf('eu')], 'eu') / sizeOf(made)).toBeLessThanOrEqual(1.25)
  }, 120_000)

  test('is fed from the region whose seed stores it, also where that of another stores something else', () => {
    const seedPatternOf = (region: string) => (region === 'eu' ? '**' : 'web/*')
    const fleet = started({ regions: ['eu', 'us'], nodes: 20, seedPatternOf })
    for (const node of fleet.of('us')) fleet.part(node, fleet.seedOf('eu'))
    fleet.run(20_000)
    const made = fleet.publish('eu', noise(2 * MIB))
    const fromMs = fleet.time.nowMs
    const those = fleet.nodes.filter((node) => node !== fleet.seedOf('us'))
    expect(fleet.run(DEADLINE_MS, () => those.every((node) => fleet.runs(node, made)))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(2_000)
    const entered = fleet.blockBytes(fleet.of('eu'), 'us') / sizeOf(made)
    expect(entered).toBeLessThanOrEqual(1.05)
  }, 120_000)

  test('comes to a region that is cut off from home by one that is not, and enters it once', () => {
    const fleet = started({ regions: ['ap', 'eu', 'us'], nodes: 8, seeds: ['eu'] })
    for (const node of fleet.of('us')) {
      node.barred.add('eu')
      for (const other of fleet.of('eu')) fleet.part(node, other)
    }
    fleet.run(10)
    const made = fleet.publish('eu', noise(4 * MIB))
    const fromMs = fleet.time.nowMs
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(5_000)
    expect(fleet.blockBytes(fleet.of('ap'), 'us') / sizeOf(made)).toBeLessThanOrEqual(1.1)
  }, 120_000)

  test('that an ordinary node of another region was given comes home by the seed', () => {
    const fleet = started({ regions: ['eu', 'us'], nodes: 8, seeds: ['eu'] })
    const [given] = fleet.of('us')
    const made = fleet.publish('us', noise(2 * MIB), given)
    const fromMs = fleet.time.nowMs
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(6_000)
    expect(fleet.blockBytes(fleet.of('us'), 'eu') / sizeOf(made)).toBeLessThanOrEqual(2)
  }, 120_000)

  test('nor does it wait for seeds that ask one another for it', () => {
    const fleet = started({ regions: ['ap', 'eu', 'us'], nodes: 8 })
    const given = fleet.of('us').find(({ isSeed }) => !isSeed)
    const made = fleet.publish('us', noise(MIB), given)
    const fromMs = fleet.time.nowMs
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(10_000)
  }, 120_000)

  test('is completed when a fetcher dies unseen and the seed follows before anybody can tell', () => {
    for (const seedNumber of [1, 2, 3, 4]) {
      const fleet = started({ regions: ['eu'], nodes: 20, seed: seedNumber })
      const made = fleet.publish('eu', noise(4 * MIB))
      const seed = fleet.seedOf('eu')
      const given = () => fleet.blockBytes([seed], 'eu') / sizeOf(made)
      expect(fleet.run(DEADLINE_MS, () => given() >= 0.5)).toBe(true)
      const fetchers = fleet.gatewaysOf('eu').filter(({ isSeed }) => !isSeed)
      // No connection ends with it: what it asked for is lost, and what it should still ask for is nobody's.
      for (const node of fetchers.slice(0, 1)) node.silent = true
      fleet.run(LIMITS.blockSilenceMs - 50)
      expect(given()).toBeLessThanOrEqual(1.11)
      fleet.kill(seed)
      expect(fleet.run(DEADLINE_MS, all(fleet, made)), `seed ${seedNumber}`).toBe(true)
    }
  }, 240_000)

  test('waits over a border for a gateway that dies unseen as long as a plan says, and no longer', () => {
    for (const seedNumber of [1, 2, 9, 11]) {
      const fleet = started({ regions: ['eu', 'us'], nodes: 9, seeds: ['eu'], seed: seedNumber })
      const made = fleet.publish('eu', noise(2 * MIB))
      const across = () => fleet.blockBytes(fleet.of('eu'), 'us') / sizeOf(made)
      expect(fleet.run(DEADLINE_MS, () => across() >= 0.25)).toBe(true)
      const awaitedAt = (node: CoreNode) =>
        [...node.inbound.values()].filter(({ from }) => from.region === 'us').length
      const gateways = fleet.gatewaysOf('eu').filter(({ isSeed }) => !isSeed)
      const [dying] = gateways.sort((a, b) => awaitedAt(b) - awaitedAt(a)) as [CoreNode]
      expect(awaitedAt(dying)).toBeGreaterThan(1)
      dying.silent = true
      const diedMs = fleet.time.nowMs
      const isIn = (region: string) => () =>
        [...made.content.keys()].every((digest) => fleet.of(region).some(({ blocks }) => blocks.has(digest)))
      const abroadMs = ABROAD_TICKS / TICKS_PER_MS
      // neighbours know it in good time
      expect(fleet.run(DEADLINE_MS, () => fleet.of('eu').every((n) => n.silent || fleet.runs(n, made)))).toBe(
        true,
      )
      expect(fleet.time.nowMs - diedMs).toBeLessThan(LIMITS.blockSilenceMs)
      expect(fleet.run(DEADLINE_MS, isIn('us'))).toBe(true)
      // what it owed has to be asked of the next one, and to come
      expect(Math.abs(fleet.time.nowMs - diedMs - abroadMs)).toBeLessThan(LIMITS.blockSilenceMs / 2)
      expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
      // nor does who asked the dead one by itself wait for that one once a neighbour has the block
      expect(fleet.time.nowMs - diedMs).toBeLessThan(1.5 * abroadMs)
      expect(across()).toBeLessThanOrEqual(1.05)
    }
  }, 120_000)

  test('goes on where a fetcher dies in the middle', () => {
    const fleet = started({ regions: ['eu'], nodes: 40 })
    const made = fleet.publish('eu', noise(MIB))
    const gateways = () => fleet.of('eu').filter(({ isSeed, blocks }) => !isSeed && blocks.size > 4)
    expect(fleet.run(DEADLINE_MS, () => gateways().length > 0)).toBe(true)
    for (const node of gateways().slice(0, 3)) fleet.kill(node)
    const fromMs = fleet.time.nowMs
    expect(fleet.run(DEADLINE_MS, all(fleet, made))).toBe(true)
    expect(fleet.time.nowMs - fromMs).toBeLessThan(5_000)
  }, 120_000)
})
