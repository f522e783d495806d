import { setMaxListeners } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Bucket, Pace, Throttle } from '../../../src/net/pace.ts'

const busy = (ms: number): void => {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

/** Turns of the event loop between now and the end of the work. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let over = false
  const count = (): void => {
    turns += 1
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  await work
  over = true
  return turns
}

test('a flood of work is spread over turns of the event loop, in order', async () => {
  const pace = new Pace({ sliceMs: 4 })
  const done: number[] = []
  const all = Array.from({ length: 100 }, async (_, at) => {
    await pace.slice()
    busy(1)
    done.push(at)
  })
  const turns = await turnsDuring(Promise.all(all))
  expect(turns).toBeGreaterThan(60)
  expect(done).toEqual([...done].sort((a, b) => a - b))
})

test('one after another in the same turn, as messages of one RPC are, they are spread, too', async () => {
  const pace = new Pace({ sliceMs: 4 })
  const flood = async (): Promise<void> => {
    for (let at = 0; at < 40; at += 1) {
      await pace.slice()
      busy(2)
    }
  }
  expect(await turnsDuring(flood())).toBeGreaterThan(10)
})

test('what is large begins one after another, however soon it all comes', async () => {
  const pace = new Pace({ sliceMs: 4 })
  const all = Array.from({ length: 10 }, async () => {
    await pace.slice(20 * 1_024)
    busy(5)
  })
  expect(await turnsDuring(Promise.all(all))).toBeGreaterThanOrEqual(8)
})

/** Whether the event loop turned while this was waited for. */
async function putOff(work: () => Promise<unknown>): Promise<boolean> {
  let turned = false
  const turn = setImmediate(() => {
    turned = true
  })
  await work()
  clearImmediate(turn)
  return turned
}

test('what is little is not put off', async () => {
  const pace = new Pace({ sliceMs: 1_000 })
  const flood = async (): Promise<void> => {
    for (let at = 0; at < 30; at += 1) await pace.slice()
  }
  expect(await putOff(flood)).toBe(false)
})

/** As a connection. */
class Link extends EventTarget {
  status = 'open'
  constructor() {
    super()
    setMaxListeners(Number.POSITIVE_INFINITY, this)
  }
  close(): void {
    this.status = 'closed'
    this.dispatchEvent(new Event('close'))
  }
}

test('who empties its bucket waits; another does not', async () => {
  const throttle = new Throttle(100, 5)
  const [fast, other] = [new Link(), new Link()]
  const sinceMs = performance.now()
  for (let at = 0; at < 15; at += 1) await throttle.take(fast, fast)
  // ten more than a burst, which are gained from the first on
  expect(performance.now() - sinceMs).toBeGreaterThan(95)
  expect(await putOff(() => throttle.take(other, other))).toBe(false)
})

test('nobody owes more than a burst, however many come at once', async () => {
  const throttle = new Throttle(100, 5)
  const who = new Link()
  const sinceMs = performance.now()
  await Promise.all(Array.from({ length: 5_000 }, () => throttle.take(who, who)))
  // five thousand would take fifty seconds
  expect(performance.now() - sinceMs).toBeLessThan(20_000)
})

describe('a rate at which nothing is gained for weeks', () => {
  afterEach(() => void vi.useRealTimers())

  test.each([0, 1e-7])('of %d a second holds whoever has used up its burst', async (perSecond) => {
    vi.useFakeTimers()
    const throttle = new Throttle(perSecond, 1)
    const [who, done] = [new Link(), vi.fn()]
    for (let at = 1; at <= 3; at += 1) void throttle.take(who, who).then(() => done(at))
    // longer than a timer can be set for
    await vi.advanceTimersByTimeAsync(2 ** 32)
    expect(done.mock.calls).toEqual([[1]])
  })

  test.each([0, 1e-7])('of %d a second holds nothing of whoever has gone', async (perSecond) => {
    const throttle = new Throttle(perSecond, 1)
    const link = new Link()
    const waiting = [1, 2, 3].map(() => throttle.take(link, link))
    link.close()
    expect(await Promise.all(waiting)).toEqual([true, false, false])
    expect(await throttle.take(link, link)).toBe(false)
  })
})

test('of what is not used no more is saved than a burst, and no more is owed', () => {
  const bucket = new Bucket(1e6, 5)
  busy(1)
  expect(bucket.take(5)).toBe(0)
  const slow = new Bucket(0, 5)
  expect([slow.take(5), slow.take(50)]).toEqual([0, -5])
})
