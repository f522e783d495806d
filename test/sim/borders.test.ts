import { expect, test } from 'vitest'
import { RegionalFleet } from './regional-fleet.ts'

const REGIONS = ['ap', 'eu', 'us']

const converged = (fleet: RegionalFleet, made: ReturnType<RegionalFleet['publish']>) => () =>
  fleet.nodes.every((node) => node.silent || fleet.has(node, made))

test('a small release enters each region once, and is everywhere a border trip and a few hops later', () => {
  const fleet = new RegionalFleet({ regions: REGIONS, nodes: 12 })
  fleet.run(12_000)
  for (const home of [...REGIONS, ...REGIONS]) {
    const made = fleet.publish(home)
    expect(fleet.run(2_000, converged(fleet, made))).toBe(true)
    fleet.run(3_000) // what is announced a second later brings nothing more
    for (const region of REGIONS)
      expect([region, fleet.entered(region, made)]).toEqual([region, Number(region !== home)])
  }
}, 120_000)
