import { expect, test } from 'vitest'
import { manyAt, nextTurnMs, turnAt } from '../../../src/core/fetch/turns.ts'

test('four may bring a block in after 100 ms without any, 16 after 300, 64 after 700: each turn is twice as long', () => {
  const at = [0, 99, 100, 299, 300, 699, 700, 1_499, 1_500]
  expect(at.map((ms) => manyAt(turnAt(ms, 100)))).toEqual([1, 1, 4, 4, 16, 16, 64, 64, 256])
})

test('whoever wakes when the next turn begins finds that it has, whatever the fraction', () => {
  for (const stuckMs of [100, 123.456, 1_000 / 3, 0.1])
    for (let turn = 1, ms = 0; turn < 12; turn += 1) {
      ms = nextTurnMs(ms, stuckMs)
      expect(turnAt(ms, stuckMs)).toBe(turn)
    }
})
