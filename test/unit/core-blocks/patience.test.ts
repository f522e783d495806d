import { expect, test } from 'vitest'
import { Patience } from '../../../src/core/fetch/patience.ts'
import { LIMITS } from '../../../src/limits.ts'

const { hedgeMs, blockSilenceMs, borderSilenceMs } = LIMITS

test('a second neighbour is asked once a block takes longer than usual, neither before nor once it is silent', () => {
  const patience = new Patience(LIMITS)
  expect(patience.hedgeMs).toBe(hedgeMs)
  for (let n = 0; n < 50; n += 1) patience.answered(5, 'near')
  expect(patience.hedgeMs).toBe(hedgeMs)
  for (let n = 0; n < 50; n += 1) patience.answered(n % 2 === 0 ? 100 : 150, 'near')
  expect(patience.hedgeMs).toBeGreaterThan(150)
  expect(patience.hedgeMs).toBeLessThan(300)
  for (let n = 0; n < 50; n += 1) patience.answered(3_000, 'near')
  expect(patience.hedgeMs).toBeGreaterThan(2_900)
  expect(patience.hedgeMs).toBe(patience.silenceMs('near', 0))
})

test('whoever counts as silent is taken for dead at once, but much later where silence takes longer to count', () => {
  const patience = new Patience(LIMITS)
  expect(patience.muteMs).toBe(0)
  for (let n = 0; n < 50; n += 1) patience.answered(5, 'near')
  expect(patience.muteMs).toBe(0)
  patience.answered(1_000, 'near')
  expect(patience.muteMs).toBeGreaterThan(0)
  expect(patience.muteMs).toBe(3 * (patience.silenceMs('near', 0) - blockSilenceMs))
  for (let n = 0; n < 50; n += 1) patience.answered(60_000, 'near')
  expect(patience.muteMs).toBe(LIMITS.blockDeadlineMs)
})

test('others step in later where all answers are late, and no later than a neighbour counts as silent', () => {
  const patience = new Patience(LIMITS)
  expect(patience.stuckMs).toBe(LIMITS.stuckMs)
  for (let n = 0; n < 50; n += 1) patience.answered(n % 2 === 0 ? 200 : 220, 'near')
  expect(patience.stuckMs).toBeGreaterThan(200)
  for (let n = 0; n < 50; n += 1) patience.answered(60_000, 'near')
  expect(patience.stuckMs).toBe(patience.silenceMs('near', 0))
  expect(patience.stuckMs).toBe(LIMITS.blockDeadlineMs / 2)
})

test('a seed is told that whom it named brings nothing once nothing comes, and much later where all is late', () => {
  const patience = new Patience(LIMITS)
  expect(patience.failMs).toBe(LIMITS.stuckMs)
  patience.answered(1_000, 'near')
  expect(patience.failMs).toBe(patience.stuckMs + patience.muteMs)
  expect(patience.muteMs).toBeGreaterThan(patience.stuckMs)
})

test('a seed is asked for what nobody brings once that takes twice as long as neighbours do', () => {
  const patience = new Patience(LIMITS)
  expect(patience.rescueMs).toBe(LIMITS.rescueMs)
  for (let times = 0; times < 50; times += 1) patience.answered(5, 'near')
  expect(patience.rescueMs).toBe(LIMITS.rescueMs)
  for (let times = 0; times < 50; times += 1) patience.answered(600, 'near')
  expect(patience.rescueMs).toBeGreaterThanOrEqual(1_200)
  expect(patience.rescueMs).toBeLessThan(1_300)
  for (let times = 0; times < 50; times += 1) patience.answered(60_000, 'near')
  expect(patience.rescueMs).toBe(LIMITS.blockDeadlineMs)
})

test('what a seed lets wait in line, or a border takes, says nothing of the neighbours', () => {
  const patience = new Patience(LIMITS)
  for (let n = 0; n < 50; n += 1) {
    patience.answered(2_000, 'seed')
    patience.answered(3_000, 'border')
  }
  expect(patience.hedgeMs).toBe(hedgeMs)
  expect(patience.silenceMs('near', 0)).toBe(blockSilenceMs)
  expect(patience.silenceMs('seed', 0)).toBeGreaterThanOrEqual(2_000)
  expect(patience.silenceMs('border', 0)).toBeGreaterThanOrEqual(3_000)
  expect(new Patience(LIMITS).silenceMs('border', 0)).toBe(blockSilenceMs + borderSilenceMs)
})

test('blocks come twice by it four times at once, and once in a hundred from then on', () => {
  const patience = new Patience(LIMITS)
  const allowed = () => Array.from({ length: 10 }, () => patience.hedge()).filter(Boolean).length
  expect(allowed()).toBe(4)
  for (let n = 0; n < 99; n += 1) patience.answered(5, 'near')
  expect(allowed()).toBe(0)
  for (let n = 0; n < 2; n += 1) patience.answered(5, 'near')
  expect(allowed()).toBe(1)
})

test('a hedge that was right costs no allowance: nothing came twice', () => {
  const patience = new Patience(LIMITS)
  for (let n = 0; n < 20; n += 1) {
    expect(patience.hedge()).toBe(true)
    patience.hedgedRightly()
  }
})

test('who is busy is asked again after a quarter of what a neighbour takes: as often for each block, whatever it takes', () => {
  const patience = new Patience(LIMITS)
  expect(patience.busyMs).toBe(LIMITS.busyRetryMs)
  for (let n = 0; n < 50; n += 1) patience.answered(20, 'near')
  expect(patience.busyMs).toBe(LIMITS.busyRetryMs)
  for (let n = 0; n < 100; n += 1) patience.answered(400, 'near')
  expect(patience.busyMs).toBeCloseTo(100, 0)
  for (let n = 0; n < 100; n += 1) patience.answered(5_000, 'near')
  expect(patience.busyMs).toBe(blockSilenceMs)
})
