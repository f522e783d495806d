import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { Asked, NOTHING } from '../../../src/sim/planner/asked.ts'
import { PLACES } from '../../../src/sim/planner/fleet.ts'
import { MANIFEST } from '../../../src/sim/planner/holdings.ts'
import { Shares } from '../../../src/sim/planner/shares.ts'
import { twoRegions } from './two-regions.ts'

const BLOCKS = 41

/** A gateway that has the manifest, and the blocks of its share. */
function gateway(blocks: number = BLOCKS) {
  const model = twoRegions(blocks)
  const { holdings, entry, home, fleet, parts } = model
  const shares = new Shares(parts, blocks)
  const node = home[0] as number
  const shareOf = (gateway: number): number[] =>
    Array.from({ length: blocks - 1 }, (_, n) => n + 1).filter((block) => entry.fetcher(0, block) === gateway)
  const get = (block: number): boolean => {
    holdings.acquire(node, block)
    return shares.onBlock(node, block)
  }
  get(MANIFEST)
  shares.onManifest(node)
  const tell = (block: number, edges: readonly number[]): void => {
    for (const edge of edges) holdings.tell(node, edge, block)
  }
  return { shares, node, get, tell, shareOf, holdings, entry, home, fleet, parts }
}

test('while it lacks some of its share a gateway asks neighbours for eight blocks at once at most', () => {
  const { shares, node, get, shareOf, fleet, home } = gateway()
  const share = shareOf(node)
  const others = shareOf(home[1] as number)
  expect(share.length).toBeGreaterThan(1)
  expect(shares.most(node)).toBe(LIMITS.maxWantsPerSeed)
  expect(others.map(get)).not.toContain(true)
  expect(shares.most(node)).toBe(LIMITS.maxWantsPerSeed)
  expect(share.map(get)).toEqual(share.map((_, n) => n === share.length - 1))
  expect(shares.most(node)).toBe(PLACES)
  const member = Array.from({ length: fleet.size }, (_, n) => n).find(
    (at) => at > 0 && fleet.regionOf[at] === 0 && !home.includes(at),
  ) as number
  shares.onManifest(member)
  expect(shares.most(member)).toBe(PLACES)
})

test('for four while it has fewer than half of what two neighbours have announced', () => {
  const { shares, node, get, tell, shareOf, holdings, home } = gateway()
  tell(1, [0])
  tell(2, [0, 1])
  tell(3, [0, 1, 2])
  // It has one, as many as half of these.
  expect(shares.most(node)).toBe(LIMITS.maxWantsPerSeed)
  tell(1, [1])
  expect(shares.most(node)).toBe(LIMITS.haveAtOnce)
  holdings.forget(node, 1)
  expect(shares.most(node)).toBe(LIMITS.maxWantsPerSeed)
  tell(1, [1])
  tell(2, [1])
  expect(shares.most(node)).toBe(LIMITS.haveAtOnce)
  get(shareOf(home[1] as number)[0] as number)
  expect(shares.most(node)).toBe(LIMITS.maxWantsPerSeed)
})

test('of few blocks for as many as it has neighbours', () => {
  const { shares, node } = gateway(LIMITS.fewBlocks)
  expect(shares.most(node)).toBe(PLACES)
})

test('and again where another gateway of its region died, whose share it has now', () => {
  const { shares, node, get, shareOf, entry, home } = gateway()
  shareOf(node).map(get)
  expect(shares.most(node)).toBe(PLACES)
  for (const gone of home.slice(1)) {
    entry.lose(gone, false)
    shares.onDeath(gone)
  }
  expect(shares.most(node)).toBe(LIMITS.maxWantsPerSeed)
})

test('what is asked of neighbours counts until it comes, is refused, or they die', () => {
  const { parts, node } = gateway()
  const asked = new Asked(parts)
  const place = (edge: number): number => node * PLACES + edge
  for (const edge of [0, 1, 2]) asked.ask(node, edge, 10 + edge)
  expect(asked.underWay(node)).toBe(3)
  expect(asked.come(place(0), 11)).toBe(NOTHING)
  expect(asked.come(place(0), 10)).toBe(0)
  expect(asked.come(place(0), 10)).toBe(NOTHING)
  expect(asked.underWay(node)).toBe(2)
  expect(asked.avoid(place(1), 10, 1)).toBe(false)
  expect(asked.avoid(place(1), 11, 1)).toBe(true)
  asked.lose(place(2))
  asked.lose(place(2))
  expect(asked.underWay(node)).toBe(0)
})
