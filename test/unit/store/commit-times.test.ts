/** A disk that is slow: said while a commit waits for it, and not of one that is not. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CommitTimes } from '../../../src/store/commit-times.ts'

let said: string[]
let times: CommitTimes
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  said = []
  times = new CommitTimes('/data/store or /files', {
    note: ({ level, code, text }) => void said.push(`${level} ${code} ${text}`),
  })
})
afterEach(() => void vi.useRealTimers())

function commit(): { end: () => Promise<void>; fail: () => Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const told = times.of(promise)
  return {
    end: () => {
      resolve()
      return told
    },
    fail: () => {
      reject(new Error('no room'))
      return expect(told).rejects.toThrow('no room')
    },
  }
}
const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1_000)

test('one that takes five seconds is said, and again each minute while there are such', async () => {
  const one = commit()
  await pass(4.9)
  expect(said).toEqual([])
  await pass(0.2)
  expect(said).toEqual([
    'warn STORE_SLOW /data/store or /files: a commit has been under way for 5 s; the disk is slow, and all that must be stored first waits for it',
  ])
  await pass(59)
  expect(said).toHaveLength(1)
  await pass(1)
  expect(said[1]).toContain('under way for 65 s')
  await one.end()
  await pass(600)
  expect(said).toHaveLength(2)
})

test('each of many is counted from when it came, and those that are not slow are not said', async () => {
  let before = commit()
  for (let at = 0; at < 100; at++) {
    await pass(4)
    const next = commit()
    await before.end()
    expect(times.ageMs()).toBe(0)
    before = next
  }
  expect(said).toEqual([])
  await pass(5.1)
  expect(said).toHaveLength(1)
  await before.end()
  // the next slow ones, of which the first two are within the minute
  for (const count of [1, 1, 2]) {
    await pass(14)
    const slow = commit()
    await pass(10)
    expect(said).toHaveLength(count)
    await slow.end()
  }
})

test('the oldest under way has the age, and none has none', async () => {
  expect(times.ageMs()).toBe(0)
  const first = commit()
  await pass(2)
  const second = commit()
  await pass(1)
  expect(times.ageMs()).toBe(3_000)
  await first.fail()
  expect(times.ageMs()).toBe(1_000)
  await second.end()
  expect(times.ageMs()).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('of a process that stood still itself nothing is said: what the disk has done is heard of first', async () => {
  const one = commit()
  vi.advanceTimersToNextTimer()
  await one.end()
  await pass(0)
  expect(said).toEqual([])
})
