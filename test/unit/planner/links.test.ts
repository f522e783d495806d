import { expect, test } from 'vitest'
import { FifoLinks } from '../../../src/sim/planner/fifo.ts'
import { buildFleet, CONNECTIONS, type Fleet, ORIGIN, PLACES } from '../../../src/sim/planner/fleet.ts'
import { Network } from '../../../src/sim/planner/network.ts'
import { EQUAL_LINKS, NO_FAILURES, type Question } from '../../../src/sim/planner/question.ts'
import { mixedRegions, publishedRegions } from '../../../src/sim/planner/regions.ts'
import { nsOfTicks } from '../../../src/sim/planner/ticks.ts'
import { Wheel } from '../../../src/sim/planner/wheel.ts'

const BLOCK_BYTES = 262_144
const question: Question = {
  nodes: 2,
  regions: mixedRegions(['home', 'away'], new Map([['away', 100]])),
  bytes: 0,
  links: EQUAL_LINKS,
  gateways: 'any',
  borderBitsPerSecond: 10e9,
  failures: NO_FAILURES,
  loss: 0,
  seed: 1,
}

/** Sends `count` blocks from the origin to the one node of the other region; when each is there, ms. */
function transfer(count: number, upBits: number, downBits: number, borderBits: number): number[] {
  const fleet: Fleet = buildFleet(question)
  fleet.upNsPerByte.fill(8e9 / upBits)
  fleet.downNsPerByte.fill(8e9 / downBits)
  const wheel = new Wheel(count)
  const arrivals: number[] = []
  const network = new Network(
    fleet,
    { ...question, borderBitsPerSecond: borderBits },
    wheel,
    () => BLOCK_BYTES,
    () => arrivals.push(nsOfTicks(wheel.tick) / 1e6),
  )
  for (let block = 0; block < count; block++) network.send(ORIGIN, 2, block)
  while (wheel.next()) expect(network.handles()).toBe(true)
  return arrivals
}

const blockMs = (bits: number): number => (BLOCK_BYTES * 8e3) / bits

test.each([
  { name: 'equal links', up: 1e9, down: 1e9, border: 10e9 },
  { name: 'slow receiver', up: 1e9, down: 2e8, border: 10e9 },
  { name: 'slow sender', up: 2e8, down: 1e9, border: 10e9 },
  { name: 'slow border', up: 1e9, down: 1e9, border: 1e8 },
])('two nodes, $name: latency + blocks × the slowest stage', ({ up, down, border }) => {
  const count = 200
  const arrivals = transfer(count, up, down, border)
  const closedMs = 50 + count * Math.max(blockMs(up), blockMs(down), blockMs(border))
  // Jitter is a tenth of the one way of 50 ms at the mean and at most nine times that; a message cannot overtake.
  expect(arrivals).toHaveLength(count)
  expect(Math.max(...arrivals)).toBeGreaterThanOrEqual(closedMs - 0.1)
  expect(Math.max(...arrivals)).toBeLessThan(closedMs + 46)
})

test('a receiver serves others while a sender still queues for it', () => {
  const links = new FifoLinks(Float64Array.of(8, 8))
  // A hundred blocks queue at link 0 for the receiver behind link 1: its first is there after one block.
  for (let block = 0; block < 100; block++) links.pass(0, 0, 0, BLOCK_BYTES)
  expect(links.startNs).toBe(99 * BLOCK_BYTES * 8)
  links.pass(1, 0, 0, BLOCK_BYTES)
  expect(links.startNs).toBe(0)
  links.pass(1, 99 * BLOCK_BYTES * 8, BLOCK_BYTES * 8, BLOCK_BYTES)
  expect(links.startNs).toBe(99 * BLOCK_BYTES * 8)
})

test('everyone has as many neighbours, in the own region, both ways, and gateways one another', () => {
  const fleet = buildFleet({
    ...question,
    nodes: 300,
    regions: publishedRegions(['us-east-1', 'eu-west-1', 'sa-east-1']),
  })
  const peersOf = (node: number) =>
    fleet.neighbours.subarray(node * PLACES, (node + 1) * PLACES).filter((peer) => peer !== -1)
  for (let node = 1; node < fleet.size; node++) {
    const peers = peersOf(node)
    const others = fleet.gateways.find((gateways) => gateways.includes(node)) ?? []
    expect(new Set(peers).size).toBe(peers.length)
    expect([...peers]).toEqual(expect.arrayContaining(others.filter((peer) => peer !== node)))
    if (others.length === 0) expect(peers.length).toBe(CONNECTIONS)
    for (const peer of peers) {
      expect(fleet.regionOf[peer]).toBe(fleet.regionOf[node])
      expect(peersOf(peer)).toContain(node)
    }
  }
})
