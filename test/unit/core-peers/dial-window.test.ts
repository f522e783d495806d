import { expect, test } from 'vitest'
import { DialWindow } from '../../../src/core/peers/dial-window.ts'
import { LIMITS } from '../../../src/limits.ts'

const { redialMinMs, redialIdleMaxMs } = LIMITS
const oneAtATime = (random = 1) => new DialWindow({ ...LIMITS, maxDialsAtOnce: 1 }, () => random)

/** From one dial to when the next may begin, where nothing is under way. */
function pauseMs(dials: DialWindow, nowMonoMs: number): number {
  dials.pause(nowMonoMs)
  let ms = 0
  while (dials.room(0, nowMonoMs + ms) === 0) ms += 100
  return ms
}

test('where even one link at a time comes to nothing dials are twice as far apart each time, within a bound', () => {
  const dials = oneAtATime()
  let nowMonoMs = 0
  const pauses = Array.from({ length: 8 }, () => {
    dials.starved(nowMonoMs)
    nowMonoMs += 1_000_000
    return pauseMs(dials, nowMonoMs)
  })
  expect(pauses.slice(0, 4)).toEqual([2, 4, 8, 16].map((times) => times * redialMinMs))
  expect(pauses.at(-1)).toBe(redialIdleMaxMs)
})

test('one that came to nothing puts off the next at once', () => {
  const dials = oneAtATime()
  dials.starved(0)
  expect([dials.room(0, 2 * redialMinMs - 1), dials.room(0, 2 * redialMinMs)]).toEqual([0, 1])
})

test('links that are made bring dials nearer to one another, step by step', () => {
  const dials = oneAtATime()
  for (let n = 0; n < 3; n += 1) dials.starved(0)
  let nowMonoMs = 0
  const pauses = Array.from({ length: 4 }, () => {
    dials.made()
    nowMonoMs += 1_000_000
    return pauseMs(dials, nowMonoMs)
  })
  expect(pauses).toEqual([4 * redialMinMs, 2 * redialMinMs, 0, 0])
  expect(dials.room(0, nowMonoMs)).toBeGreaterThan(1)
})

test('nodes that starve together do not come back together', () => {
  const [early, late] = [oneAtATime(0), oneAtATime(1)]
  early.starved(0)
  late.starved(0)
  expect([early.room(0, redialMinMs), late.room(0, redialMinMs)]).toEqual([1, 0])
})
