import { expect, test } from 'vitest'
import { rank } from '../../src/core/rendezvous.ts'
import type { Made } from '../../src/sim/fleet.ts'
import { RegionalFleet } from './regional-fleet.ts'

const REGIONS = ['ap', 'eu', 'us']
/** Gateways are found and linked by then, whatever the order in which nodes start. */
const WARM_MS = 15_000
/** Connectivity there → converged. */
const SYNC_BOUND_MS = 20_000

const converged = (fleet: RegionalFleet, made: Made) => () =>
  fleet.nodes.every((node) => node.silent || fleet.has(node, made))

const warm = (nodes: number, seed: number): RegionalFleet => {
  const fleet = new RegionalFleet({ regions: REGIONS, nodes, seed })
  fleet.run(WARM_MS)
  return fleet
}

test('a small release enters each region once, and is everywhere a border trip and a few hops later', () => {
  const fleet = warm(12, 1)
  for (const home of [...REGIONS, ...REGIONS]) {
    const made = fleet.publish(home)
    expect(fleet.run(2_000, converged(fleet, made))).toBe(true)
    fleet.run(3_000) // what is announced a second later brings nothing more
    for (const region of REGIONS)
      expect([region, fleet.entered(region, made)]).toEqual([region, Number(region !== home)])
  }
}, 120_000)

test('each region has eight gateways, no seed among them where there are enough others', () => {
  const fleet = warm(12, 2)
  for (const region of REGIONS) {
    const gateways = fleet.gatewaysOf(region)
    expect([region, gateways.length]).toEqual([region, 8])
    expect(gateways.filter(({ isSeed }) => isSeed)).toEqual([])
  }
})

test('rank 0 of another region dies silently in mid-release: the next rank brings it, in one more copy at most', () => {
  const fleet = warm(10, 3)
  for (const region of ['eu', 'us']) {
    const made = fleet.publish('ap')
    const id = made.id as string
    const gateways = fleet.gatewaysOf(region)
    const [first] = rank(
      id,
      gateways.map(({ peer }) => peer),
    )
    for (const one of gateways) if (one.peer === first) one.silent = true
    expect(fleet.run(3_000, converged(fleet, made))).toBe(true)
    fleet.run(3_000)
    expect(fleet.entered(region, made)).toBeLessThanOrEqual(2)
  }
}, 120_000)

test('every gateway of a region dies at once: sync brings the release over the border within its bound', () => {
  for (const seed of [4, 5, 6]) {
    const fleet = warm(10, seed)
    for (const one of fleet.gatewaysOf('us')) fleet.kill(one)
    const made = fleet.publish('eu')
    expect(fleet.run(SYNC_BOUND_MS, converged(fleet, made))).toBe(true)
  }
}, 120_000)

test('once they are gone for good others stand, and the border is bridged again', () => {
  const fleet = warm(10, 7)
  for (const one of fleet.gatewaysOf('us')) fleet.kill(one)
  fleet.run(30_000)
  expect(fleet.gatewaysOf('us').length).toBeGreaterThanOrEqual(2)
  const made = fleet.publish('eu')
  expect(fleet.run(2_000, converged(fleet, made))).toBe(true)
  expect(fleet.entered('us', made)).toBe(1)
}, 120_000)

test('beacons and roots cross borders, too', () => {
  const fleet = warm(6, 8)
  const heard = () =>
    fleet.nodes.reduce((sum, { counts }) => sum + (counts.get('bridge_received control-pushed') ?? 0), 0)
  const before = heard()
  fleet.run(45_000) // two beacons of each of three seeds, to two other regions each
  expect(heard() - before).toBeGreaterThanOrEqual(12)
}, 120_000)

test('a fleet of one region bridges nothing', () => {
  const fleet = new RegionalFleet({ regions: ['eu'], nodes: 12 })
  fleet.run(WARM_MS)
  const made = fleet.publish('eu')
  expect(fleet.run(2_000, converged(fleet, made))).toBe(true)
  fleet.run(5_000)
  expect(fleet.nodes.reduce((sum, { bridged }) => sum + bridged, 0)).toBe(0)
}, 120_000)

test.each([1, 3])(
  'a region that has no gateway, since its %i nodes can be dialled by nobody: each is told, and takes one copy at most',
  (nodes) => {
    const fleet = new RegionalFleet({ regions: ['eu', 'us'], nodes, seeds: ['eu'], deaf: ['us'] })
    fleet.run(WARM_MS)
    expect(fleet.gatewaysOf('us')).toEqual([])
    for (let at = 0; at < 4; at += 1) {
      const made = fleet.publish('eu')
      expect(fleet.run(1_500, converged(fleet, made))).toBe(true)
      fleet.run(3_000)
      expect(fleet.entered('us', made)).toBeGreaterThanOrEqual(1)
      expect(fleet.entered('us', made)).toBeLessThanOrEqual(nodes)
    }
  },
  120_000,
)
