import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { BorderWindow } from '../../../src/sim/planner/border-window.ts'
import { ticksOfMs } from '../../../src/sim/planner/ticks.ts'
import { KINDS, twoRegions } from './two-regions.ts'

const REAL = LIMITS.maxBlockBytes
const BLOCKS = 201
const AT_ONCE = LIMITS.maxWantsPerSeed

/** A gateway that is to bring in blocks, those of an odd number from another source than the even ones, and after these. */
function asker({ simulated = REAL, near = 0 } = {}) {
  const { parts, wheel, home, away, holdings, network } = twoRegions(BLOCKS)
  const [even, odd] = home as [number, number]
  const [node] = away as [number]
  const sourceOf = (block: number): number => (block % 2 === 0 ? even : odd)
  const asked: number[] = []
  const calls = {
    source: (_node: number, block: number) => sourceOf(block),
    ask: (_node: number, _source: number, block: number) => void asked.push(block),
    near: () => near,
  }
  const order = [...evens(2, 100), ...evens(1, 100)]
  const window = new BorderWindow(parts, order, { simulated, real: REAL }, calls, KINDS.turn)
  const roundTicks = ticksOfMs(network.usualRttMs(node, even))
  return {
    ...{ window, node, even, odd, holdings },
    roundTicks,
    /** Until what was asked for is there. */
    wait: (): void => {
      wheel.push(wheel.tick + roundTicks, KINDS.sent, 0, 0, 0, 0)
      wheel.next()
    },
    asked: (): readonly number[] => asked.splice(0),
    come: (block: number): void => window.end(node, sourceOf(block), block, false),
    /** @returns when it had a turn */
    turn: (): number | undefined => {
      if (!wheel.next()) return undefined
      window.fill(wheel.a)
      return wheel.tick
    },
  }
}
const evens = (first: number, many: number): number[] => Array.from({ length: many }, (_, n) => first + 2 * n)

test('of one gateway there as many blocks are under way as one peer is asked for at once', () => {
  const { window, node, asked, come, wait } = asker()
  window.line(node, evens(2, 12))
  expect(asked()).toEqual(evens(2, AT_ONCE))
  wait()
  window.fill(node)
  expect(asked()).toEqual([])
  come(4)
  expect(asked()).toEqual([18])
  come(4)
  expect(asked()).toEqual([])
})

test('those who wait for one keep nobody from asking another, unless they are many', () => {
  const { window, node, asked } = asker()
  window.line(node, [...evens(2, AT_ONCE + 15), 1])
  expect(asked()).toEqual([...evens(2, AT_ONCE), 1])
  const many = asker()
  many.window.line(many.node, [...evens(2, AT_ONCE + 16), 1])
  expect(many.asked()).toEqual(evens(2, AT_ONCE))
})

test('what is here already is not asked for, what was put off is before all else', () => {
  const { window, node, asked, come, holdings, even, wait } = asker()
  window.line(node, evens(2, 12))
  asked()
  wait()
  holdings.acquire(node, 18)
  window.end(node, even, 6, true)
  expect(asked()).toEqual([6])
  come(2)
  expect(asked()).toEqual([20])
})

test('of all together as many bytes as a node holds, with those from neighbours', () => {
  const most = LIMITS.maxWantBytes / REAL
  const { window, node, asked, come, wait } = asker({ near: most - 10 })
  window.line(node, [...evens(2, 7), ...evens(1, 7)])
  expect(asked()).toEqual([...evens(2, 7), ...evens(1, 3)])
  wait()
  come(1)
  expect(asked()).toEqual([7])
})

test('nothing is under way from who is dead', () => {
  const { window, node, asked, even } = asker()
  window.line(node, evens(2, 20))
  asked()
  window.lose(even)
  window.fill(node)
  expect(asked()).toEqual(evens(18, AT_ONCE))
})

test('larger blocks stand for several: so much of them is asked for within a round trip as of small ones', () => {
  const { window, node, asked, come, roundTicks, turn } = asker({ simulated: 1.5 * REAL })
  window.line(node, evens(2, 12))
  // Of 5.33 the last is asked for once its third would have been.
  expect(asked()).toEqual(evens(2, 5))
  expect(turn()).toBe(Math.ceil(roundTicks * (5 / (AT_ONCE / 1.5) - (1 - 1.5 / AT_ONCE))))
  expect(asked()).toEqual([12])
  come(2)
  expect(asked()).toEqual([])
})

test('one that is twice what may be under way takes two round trips', () => {
  const { window, node, asked, come, roundTicks, turn } = asker({ simulated: 2 * AT_ONCE * REAL })
  window.line(node, evens(2, 3))
  expect(asked()).toEqual([2])
  expect(turn()).toBeUndefined()
  come(2)
  expect(asked()).toEqual([])
  expect(turn()).toBe(2 * roundTicks)
  expect(asked()).toEqual([4])
})

test('what comes before all that is under way is asked for, however much that is', () => {
  const { window, node, asked, come, wait } = asker({ near: LIMITS.maxWantBytes / REAL - 1 })
  window.line(node, [1, 3])
  expect(asked()).toEqual([1])
  window.line(node, [4, 6])
  expect(asked()).toEqual([4])
  wait()
  window.line(node, [2])
  expect(asked()).toEqual([2])
  come(4)
  come(2)
  expect(asked()).toEqual([6])
})

test('of one gateway there, too', () => {
  const { window, node, asked, come, wait } = asker()
  window.line(node, evens(18, AT_ONCE))
  asked()
  wait()
  window.line(node, [2, 4])
  expect(asked()).toEqual([2])
  come(18)
  expect(asked()).toEqual([])
  come(20)
  expect(asked()).toEqual([4])
})

test('what is to be asked for since a death waits in the order of all', () => {
  const { window, node, asked, come, wait } = asker()
  window.line(node, [...evens(4, AT_ONCE), 22, 26])
  asked()
  wait()
  window.line(node, [20, 24])
  for (const block of [4, 6, 8, 10]) come(block)
  expect(asked()).toEqual([20, 22, 24, 26])
})

test('one that is larger than all that may be under way keeps nobody from asking another gateway', () => {
  const { window, node, asked, come, turn } = asker({ simulated: LIMITS.maxWantBytes })
  window.line(node, [2, 4, 1, 3])
  expect(asked()).toEqual([2, 1])
  come(2)
  expect(turn()).toBeDefined()
  // The other stands there meanwhile.
  expect(asked()).toEqual([4])
})
