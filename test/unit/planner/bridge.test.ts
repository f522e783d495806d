import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { Bridge } from '../../../src/sim/planner/bridge.ts'
import { ORIGIN } from '../../../src/sim/planner/fleet.ts'
import { FIRST_OF_MODEL } from '../../../src/sim/planner/network.ts'
import { ticksOfMs } from '../../../src/sim/planner/ticks.ts'
import { twoRegions } from './two-regions.ts'

const ANNOUNCE = FIRST_OF_MODEL
const CLAIM = FIRST_OF_MODEL + 1
const PULL = FIRST_OF_MODEL + 3

/** The gateways of two regions, by rank, the first of which feeds the second. */
function bridge(regions = 2, wrong?: { readonly wrongRank: number; readonly seed: number }) {
  const { fleet: two, question: calm, wheel, network, home, away } = twoRegions(2)
  const { wrongRank = 0, seed = calm.seed } = wrong ?? {}
  const question = { ...calm, seed, failures: { ...calm.failures, wrongRank } }
  const fleet = { ...two, gateways: two.gateways.slice(0, regions) }
  const pushed: number[] = []
  const model = new Bridge(fleet, question, wheel, network, FIRST_OF_MODEL, {
    has: () => false,
    seen: () => false,
    push: (_from, to) => void pushed.push(to),
  })
  return {
    ...{ model, home, away, pushed },
    /** A gateway is told of the release by another, now. */
    tell: (to: number, from: number): void => wheel.push(wheel.tick, ANNOUNCE, to, from, 0, 0),
    /** Until this time, with the dead deaf. @returns who said what of a kind to whom, and when */
    run: (kind: number, untilMs: number, isDead = (_node: number, _ms: number) => false) => {
      const said: { readonly from: number; readonly to: number; readonly ms: number }[] = []
      while (wheel.next() && wheel.tick < ticksOfMs(untilMs)) {
        const ms = wheel.tick / ticksOfMs(1)
        if (wheel.kind === kind) said.push({ from: wheel.b, to: wheel.a, ms })
        if (!isDead(wheel.a, ms)) model.handle()
      }
      return said
    },
  }
}

test('where a claim comes to nothing each waits by its own rank, so that one pulls and not all', () => {
  const { home, away, tell, run } = bridge()
  const [, second, third, fourth] = away as [number, number, number, number]
  for (const to of [second, third, fourth]) tell(to, home[1] as number)
  const pulls = run(PULL, 3_000, (node, ms) => node === second && ms > LIMITS.bridgeWaitMs)
  expect(pulls.map(({ from }) => from)).toEqual([second, third])
  const waitedMs = (pulls[1]?.ms ?? 0) - (pulls[0]?.ms ?? 0)
  expect(Math.abs(waitedMs - LIMITS.claimVoidMs - 2 * LIMITS.claimVoidStepMs)).toBeLessThan(20)
})

test('a gateway of the first rank sends the content alone, the others an announcement', () => {
  const { model, home, away, pushed, run } = bridge()
  for (const node of home.slice(0, 2)) model.onVerified(node, home[2] as number)
  expect(pushed).toEqual([away[0]])
  expect(run(ANNOUNCE, 900).map(({ from, to }) => [from, to])).toEqual([[home[1], away[1]]])
})

test('whoever gets the content over the border claims it once it is checked, and nobody that is only told of it', () => {
  const { model, home, away, tell, run } = bridge()
  const [first, ...others] = away as [number, ...number[]]
  tell(first, home[1] as number)
  expect(run(CLAIM, LIMITS.bridgeWaitMs - 1)).toEqual([])
  model.onVerified(others[0] as number, first)
  model.onVerified(first, home[0] as number)
  const claims = run(CLAIM, 2 * LIMITS.bridgeWaitMs)
  expect(claims.map(({ from }) => from)).toEqual(others.map(() => first))
  expect(claims.map(({ to }) => to).sort()).toEqual([...others].sort())
})

test("where the first gateway of the origin's region is dead the next one asks the origin, and no third", () => {
  const { model, home, pushed, run } = bridge()
  model.onAccepted()
  const pulls = run(PULL, 900, (node) => node === home[0])
  expect(pulls.map(({ from, to }) => [from, to])).toEqual([[home[1], ORIGIN]])
  expect(pushed).toEqual([home[1]])
  expect(pulls[0]?.ms).toBeLessThan(LIMITS.bridgeHomeWaitMs + 5)
})

test('and where it lives its claim holds them off', () => {
  const { model, home, pushed, run } = bridge()
  model.onAccepted()
  model.onVerified(home[0] as number, ORIGIN)
  pushed.length = 0
  expect(run(PULL, 900)).toEqual([])
  expect(pushed).toEqual([])
})

test.each([
  ['announced', ANNOUNCE],
  ['claimed', CLAIM],
  ['pulled', PULL],
])('with one region nothing is %s', (_what, kind) => {
  const { model, home, run } = bridge(1)
  model.onAccepted()
  model.onVerified(home[0] as number, ORIGIN)
  expect(run(kind, 900)).toEqual([])
})

test('the first gateway at home claims what a neighbour gave it, too', () => {
  const { model, home, run } = bridge()
  const [first, second] = home as [number, number]
  model.onVerified(second, first)
  model.onVerified(first, second)
  expect(new Set(run(CLAIM, LIMITS.bridgeWaitMs - 1).map(({ from }) => from))).toEqual(new Set([first]))
})

test('whoever takes a wrong rank takes one of the others, each of them as often', () => {
  /** What a gateway of home takes its rank to be, by what it does: from 3 on it is nobody's to carry. */
  const taken = (rank: number, seed: number): number => {
    const { model, home, away, pushed, run } = bridge(2, { wrongRank: 1, seed })
    model.onVerified(home[rank] as number, away[0] as number)
    const [told] = run(ANNOUNCE, 900)
    return pushed.length > 0 ? 0 : told === undefined ? 3 : away.indexOf(told.to)
  }
  for (const rank of [0, 1, 2, 3]) {
    const ranks = Array.from({ length: 90 }, (_, seed) => taken(rank, seed))
    for (const other of [0, 1, 2, 3]) {
      const times = ranks.filter((one) => one === other).length
      if (other === rank) expect(times).toBe(0)
      else expect(Math.abs(times - 30)).toBeLessThan(15)
    }
  }
})
