import { expect, test } from 'vitest'
import { type Sample, slopeOf } from '../../../scripts/chaos/slope.ts'

const minutes = (value: (minute: number) => number): Sample[] =>
  Array.from({ length: 60 }, (_, at) => ({ atMs: at * 60_000, value: value(at) }))

test('what grows by one a minute has a slope of 60 an hour, and its level shows it', () => {
  expect(slopeOf(minutes((at) => 100 + at))).toEqual({ perHour: expect.closeTo(60), early: 122, late: 152 })
})

test('what is flat after its warming up has none, however it swings', () => {
  const slope = slopeOf(minutes((at) => (at < 15 ? at : 100 + (at % 2))))
  expect(Math.abs(slope.perHour)).toBeLessThan(0.2)
  expect(slope.late - slope.early).toBeLessThanOrEqual(1)
})

test('a handful of samples has no slope', () => {
  expect(() => slopeOf(minutes(() => 1).slice(0, 7))).toThrow(RangeError)
})
