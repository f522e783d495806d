import { expect, test } from 'vitest'
import { dueBy } from '../../../bench/origin-death.ts'
import { outcome, type Round } from '../../../bench/origin-dies.ts'
import type { Held } from '../../e2e/block-watch.ts'

/** Has these blocks. */
const having = (...places: number[]): Held => ({
  has: (place) => places.includes(place),
  count: () => places.length,
})

test('an origin is killed once it has sent so many payloads', () => {
  expect(dueBy({ payloads: 1.19, held: [having(0), having(1)], places: 2 })).toBeUndefined()
  expect(dueBy({ payloads: 1.2, held: [having(0), having(1)], places: 2 })).toBe('payloads')
})

test('an origin that is asked for no more is killed once each block has come to two nodes', () => {
  const held = [having(0, 1), having(1), having()]
  expect(dueBy({ payloads: 1, held, places: 2 })).toBeUndefined()
  expect(dueBy({ payloads: 1, held: [...held, having(0)], places: 2 })).toBe('copies')
  expect(dueBy({ payloads: 1, held: [...held, having(0)], places: 3 })).toBeUndefined()
})

test('a round that left nodes out is counted, with what became of the blocks', () => {
  const whole: Round = {
    ...{ payloadsAtKill: 1.2, due: 'payloads', killed: 3, living: 26, completeAtKill: 0, complete: 26 },
    ...{ lastMs: 5_000, blocks: 56, blocksOutAtKill: 56, blocksLivingAtKill: 56, blocksLost: 0 },
  }
  const { lastMs: _, ...left } = { ...whole, complete: 0, blocksLivingAtKill: 54 }
  expect(outcome([whole, whole])).toBe('2 of 2 rounds')
  expect(outcome([whole, { ...left, blocksLost: 2 }, { ...left, complete: 25 }])).toBe(
    '1 of 3 rounds; 0 of 26, 2 of 56 blocks died with the seed and those killed; 25 of 26, though each block was among the living',
  )
})
