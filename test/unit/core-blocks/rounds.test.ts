import { expect, test } from 'vitest'
import { Rounds } from '../../../src/core/fetch/rounds.ts'

test('as many as fit in a go are all in each, in their order', () => {
  const rounds = new Rounds<number>(3)
  for (let go = 0; go < 3; go += 1) {
    expect(rounds.next([1, 2, 3])).toEqual([1, 2, 3])
    expect(rounds.areOthersLeft).toBe(false)
  }
})

test('of more each has its go in turn, whoever comes and goes meanwhile', () => {
  const rounds = new Rounds<number>(3)
  const all = [1, 2, 3, 4, 5, 6, 7]
  expect([rounds.next(all), rounds.next(all), rounds.next(all)]).toEqual([
    [1, 2, 3],
    [4, 5, 6],
    [7, 1, 2],
  ])
  expect(rounds.areOthersLeft).toBe(true)
  expect(rounds.next([1, 2, 3, 4])).toEqual([2, 3, 4])
  expect(rounds.next([8])).toEqual([8])
  expect(rounds.areOthersLeft).toBe(false)
})

test('one that is asked for comes first in the next go, and the others keep their turns', () => {
  const rounds = new Rounds<number>(3)
  const all = [1, 2, 3, 4, 5, 6, 7]
  expect([rounds.next(all, 6), rounds.next(all, 5), rounds.next(all)]).toEqual([
    [6, 1, 2, 3],
    [5, 4, 6],
    [7, 1, 2],
  ])
  expect(rounds.next([1, 2, 3], 2)).toEqual([1, 2, 3])
})
