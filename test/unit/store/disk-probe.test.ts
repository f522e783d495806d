/** When a disk that refuses writes is tried again. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DiskProbe } from '../../../src/store/disk-probe.ts'

let probe: DiskProbe
/** When each try began, in seconds. */
let begun: number[]
/** How long a try takes. */
let tryMs: number
let most: number
let attempt: () => Promise<void>

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0)
  ;[begun, tryMs, most] = [[], 0, 0]
  let underWay = 0
  const from = performance.now()
  attempt = async () => {
    begun.push((performance.now() - from) / 1_000)
    underWay += 1
    most = Math.max(most, underWay)
    if (tryMs > 0) await new Promise((resolve) => setTimeout(resolve, tryMs))
    underWay -= 1
    throw new Error('still')
  }
  probe = new DiskProbe({ pauseMs: 2_000, attempt })
})
afterEach(() => {
  probe.stop()
  vi.restoreAllMocks()
  vi.useRealTimers()
})
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1_000)

test('a full disk is tried every two seconds, another with pauses that grow to a minute', async () => {
  probe.start(false)
  await pass(7)
  expect(begun).toEqual([2, 4, 6])
  // the reason is another by now
  probe.start(true)
  await pass(200)
  expect(begun).toEqual([2, 4, 6, 8, 12, 20, 36, 68, 128, 188])
})

test('each node takes its own time', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
  probe.start(false)
  await pass(2.4)
  expect(begun).toEqual([])
  await pass(0.1)
  expect(begun).toHaveLength(1)
})

test('the longest pause that can be set is none that is over at once', async () => {
  const longestMs = 2 ** 31 - 1
  const set = vi.spyOn(globalThis, 'setTimeout')
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
  probe = new DiskProbe({ pauseMs: longestMs, attempt })
  probe.start(true)
  expect(set.mock.calls.map(([, ms]) => ms)).toEqual([longestMs])
})

test('a try that takes long has none beside it, and the next a whole pause behind its end', async () => {
  tryMs = 30_000
  probe.start(true)
  await pass(3)
  probe.stop()
  probe.start(true)
  await pass(100)
  expect([begun, most]).toEqual([[2, 40, 86], 1])
})

test('stopped, it tries no more; begun again soon it goes on from there, and later from the least', async () => {
  probe.start(true)
  await pass(7)
  probe.stop()
  await pass(50)
  expect(begun).toEqual([2, 6])
  probe.start(true)
  await pass(16)
  expect(begun).toEqual([2, 6, 73])
  probe.stop()
  await pass(60)
  probe.start(true)
  await pass(2)
  expect(begun).toEqual([2, 6, 73, 135])
})
