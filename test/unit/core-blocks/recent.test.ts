import { expect, test } from 'vitest'
import { Recent } from '../../../src/core/recent.ts'

test('what was seen is known for a span, renewed each time', () => {
  const recent = new Recent<string>(10, 100)
  recent.add('A', 0)
  recent.add('A', 50)
  expect([recent.has('A', 149), recent.has('A', 150), recent.has('B', 0)]).toEqual([true, false, false])
})

test('strangers without end hold no more than the bound, and nothing once they are of long ago', () => {
  const recent = new Recent<string>(10, 100)
  for (let n = 0; n < 1_000; n += 1) recent.add(`stranger ${n}`, 0)
  expect(recent.size).toBe(10)
  expect(recent.has('stranger 999', 0)).toBe(true)
  recent.add('later', 100)
  expect(recent.size).toBe(1)
})
