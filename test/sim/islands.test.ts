/** Nodes that all reach their seed, and not one another: ports that are closed, or sites of which each has an address space. */
import { describe, expect, test } from 'vitest'
import type { CoreNode } from './core-node.ts'
import { noise } from './noise.ts'
import { RegionalFleet, type Shape } from './regional-fleet.ts'

const MIB = 1024 * 1024
/** Gateways have said so. */
const SETTLED_MS = 60_000
const DEADLINE_MS = 120_000

/** @returns what leaves the seed, in payloads, and after how long the last node runs the release; undefined: never */
function released(shape: Shape, islandOf: (node: CoreNode, at: number) => number) {
  const fleet = new RegionalFleet(shape)
  for (const [at, node] of fleet.nodes.entries()) node.island = islandOf(node, at)
  fleet.run(SETTLED_MS)
  const made = fleet.publish('eu', noise(4 * MIB))
  const fromMs = fleet.time.nowMs
  const isWhole = fleet.run(DEADLINE_MS, () => fleet.nodes.every((node) => fleet.runs(node, made)))
  const seed = [fleet.seedOf('eu')]
  const bytes = shape.regions.reduce((sum, region) => sum + fleet.blockBytes(seed, region), 0)
  return { lastMs: isWhole ? fleet.time.nowMs - fromMs : undefined, payloads: bytes / (4 * MIB) }
}

describe('a large release', () => {
  test.each([2, 3])(
    'comes to %i nodes that reach nobody but their seed, which gives it to each',
    (nodes) => {
      const { lastMs, payloads } = released({ regions: ['eu'], nodes }, (_, at) => at)
      expect(lastMs).toBeLessThan(10_000)
      expect(payloads).toBeLessThan(nodes + 0.1)
    },
    120_000,
  )

  test('comes to such nodes of a region without a seed', () => {
    const { lastMs, payloads } = released({ regions: ['eu', 'us'], nodes: 2, seeds: ['eu'] }, (_, at) => at)
    expect(lastMs).toBeLessThan(20_000)
    expect(payloads).toBeLessThan(4.1)
  }, 120_000)

  // What others brought in is waited for, on a busy host for long: regions of their own would be quicker.
  test('comes to both parts of a fleet that reach the seed alone, which gives it to each part', () => {
    const { lastMs, payloads } = released({ regions: ['eu'], nodes: 20 }, (_, at) => at % 2)
    expect(lastMs).toBeLessThan(40_000)
    expect(payloads).toBeLessThan(2.1)
  }, 120_000)
})
