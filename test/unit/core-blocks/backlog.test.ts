/** When what waits for other regions is too much. */
import { expect, test } from 'vitest'
import { Backlog } from '../../../src/core/serve/backlog.ts'
import { LIMITS } from '../../../src/limits.ts'

const MANY = LIMITS.maxWantsPerSeed + 1

/** One block has left after another, so far apart. */
function backlog(gapMs: number): Backlog {
  const one = new Backlog(LIMITS)
  for (let block = 1; block <= 8; block += 1) one.left(1_000 + block * gapMs, 1_000)
  return one
}

test('it is where more waits than one may want at once, and takes longer than half of what makes a peer doubtful', () => {
  const gapMs = LIMITS.doubtMs / 2 / MANY
  for (const [pace, waiting, isTooLong] of [
    [gapMs + 1, MANY, true],
    [gapMs - 1, MANY, false],
    [1_000, MANY - 1, false],
  ] as const) {
    const one = backlog(pace)
    one.waits(waiting)
    expect(one.isTooLong).toBe(isTooLong)
  }
})

test('before the first block has left nothing is known of its pace', () => {
  const one = new Backlog(LIMITS)
  one.waits(100 * MANY)
  expect(one.isTooLong).toBe(false)
})

test('once it is, it is so until nothing waits', () => {
  const one = backlog(100)
  one.waits(MANY)
  one.waits(1)
  expect(one.isTooLong).toBe(true)
  one.waits(0)
  expect(one.isTooLong).toBe(false)
  one.waits(1)
  expect(one.isTooLong).toBe(false)
})

test('a pause in which nothing was on its way is none of its pace', () => {
  const one = backlog(1)
  one.left(60_001, 60_000)
  one.waits(MANY)
  expect(one.isTooLong).toBe(false)
})

test('whoever is put off may ask again when all of it has left, and no sooner or later than any other', () => {
  expect(backlog(10).retryAfterMs(MANY)).toBe(10 * MANY)
  expect(backlog(0).retryAfterMs(MANY)).toBe(LIMITS.busyRetryMs)
  expect(backlog(1_000).retryAfterMs(MANY)).toBe(LIMITS.avoidPeerMs)
})
