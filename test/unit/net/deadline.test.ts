import { afterEach, describe, expect, test, vi } from 'vitest'
import { Deadline } from '../../../src/net/deadline.ts'
import { holdLoop } from './hold-loop.ts'

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

/** Resolves with how long it took. */
const ended = ({ signal }: Deadline): Promise<number> => {
  const startMs = performance.now()
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(performance.now() - startMs)),
  )
}

test('who is given a time has it, and what it ends with tells of that', async () => {
  const deadline = new Deadline(20)
  expect(await ended(deadline)).toBeGreaterThan(15)
  expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' })
})

test('what is read in the two turns after the time is over was in time, and begins the next', async () => {
  const deadline = new Deadline(1)
  await holdLoop(10)
  await turn()
  deadline.arm(20)
  const took = ended(deadline)
  await turn()
  await turn()
  expect(deadline.signal.aborted).toBe(false)
  expect(await took).toBeGreaterThan(15)
})

test('a host that stood still gives as much time again as it did, and never more than at first', async () => {
  const [short, long] = [new Deadline(50), new Deadline(2_000)]
  const took = [ended(short), ended(long)]
  await holdLoop(3_100)
  const [shortMs = 0, longMs = 0] = await Promise.all(took)
  expect(shortMs).toBeGreaterThan(3_140)
  expect(shortMs).toBeLessThan(4_000)
  // 1.1 s late
  expect(longMs).toBeGreaterThan(4_190)
  expect(longMs).toBeLessThan(5_000)
})

test('a host that stands still time and again gives no more than that', async () => {
  const deadline = new Deadline(200)
  await holdLoop(1_300)
  await turn()
  expect(deadline.signal.aborted).toBe(false)
  await holdLoop(1_300)
  for (let turns = 0; turns < 5; turns += 1) await turn()
  expect(deadline.signal.aborted).toBe(true)
})

describe('one that is longer than a timer can be set for', () => {
  afterEach(() => void vi.useRealTimers())

  test('is not over at once', async () => {
    vi.useFakeTimers()
    const deadline = new Deadline(2 ** 32)
    await vi.advanceTimersByTimeAsync(2 ** 30)
    expect(deadline.signal.aborted).toBe(false)
    deadline.clear()
  })
})

describe('of one that is cleared', () => {
  afterEach(() => void vi.useRealTimers())

  test('nothing is left, nor of those that it was armed with before', () => {
    vi.useFakeTimers()
    const deadline = new Deadline(20)
    deadline.arm(30)
    deadline.arm(10)
    expect(vi.getTimerCount()).toBe(1)
    deadline.clear()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('nothing ends, though its time was over', async () => {
    const deadline = new Deadline(1)
    await holdLoop(10)
    deadline.clear()
    for (let turns = 0; turns < 5; turns += 1) await turn()
    expect(deadline.signal.aborted).toBe(false)
  })
})
