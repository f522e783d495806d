import { expect, test } from 'vitest'
import { Brought } from '../../../src/sim/planner/brought.ts'
import { ORIGIN } from '../../../src/sim/planner/fleet.ts'
import { twoRegions } from './two-regions.ts'

const ordinary = (first: number, gateways: readonly number[]): number => {
  let node = first
  while (gateways.includes(node)) node++
  return node
}

test('other regions go before gateways of the own one, these before all else, and past a full line', () => {
  const { uploads, home, away, fleet } = twoRegions(20)
  const [at, near, far] = [home[0] as number, home[1] as number, away[0] as number]
  const member = ordinary(fleet.firstOf[0] as number, home)
  for (const block of [1, 2, 3, 4]) expect(uploads.offer(at, member, block)).toBe(true)
  expect(uploads.offer(at, near, 5)).toBe(false)
  uploads.hand(at, near, 6)
  uploads.hand(at, near, 7)
  uploads.promise(at, far, 8)
  expect(uploads.abroad(at)).toBe(1)
  uploads.next(at)
  expect(uploads.isCut(at, far, 8)).toBe(true)
  uploads.next(at)
  expect(uploads.isCut(at, near, 6)).toBe(true)
  expect(uploads.drop(at)).toEqual([
    [near, 7],
    [near, 6],
    [member, 2],
    [member, 3],
    [member, 4],
  ])
  uploads.next(at)
  uploads.next(at)
  expect(uploads.isCut(at, member, 2)).toBe(true)
})

test('what a gateway brought in itself goes once to the first other one that asks', () => {
  const { fleet, home, away } = twoRegions(20)
  const [at, near, third, far] = [home[0], home[1], home[2], away[0]] as [number, number, number, number]
  const member = ordinary(fleet.firstOf[0] as number, home)
  const brought = new Brought(fleet)
  brought.onBlock(at, ORIGIN, 1)
  brought.onBlock(at, far, 2)
  brought.onBlock(at, near, 3)
  expect(brought.settle(at, member, 1)).toBe(false)
  expect(brought.settle(at, near, 1)).toBe(true)
  expect(brought.settle(at, third, 1)).toBe(false)
  expect(brought.settle(at, third, 2)).toBe(true)
  expect(brought.settle(at, third, 3)).toBe(false)
  expect(brought.settle(near, at, 3)).toBe(false)
})
