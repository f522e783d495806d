/** Writes to a disk that may hang: which are begun, and when the next is refused. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TimelyWrites } from '../../../src/net/timely-writes.ts'

const REFUSED = 'has not answered'
const hang = () => new Promise<never>(() => {})
const write = async () => 'written'

let disk: TimelyWrites
/** They take a second each. */
const isStill = () => expect.poll(() => disk.isStill, { timeout: 5_000 }).toBe(true)
beforeEach(() => {
  vi.stubEnv('UV_THREADPOOL_SIZE', '8')
  disk = new TimelyWrites()
})
afterEach(() => vi.unstubAllEnvs())

test('beside as many that hang as take a quarter of the threads none is begun, until one ends', async () => {
  const answer = Promise.withResolvers<string>()
  const first = disk.of(() => answer.promise)
  await isStill()
  const second = vi.fn(hang)
  disk.of(second).catch(() => undefined)
  expect(second).toHaveBeenCalled()
  await expect(disk.of(write)).rejects.toThrow(REFUSED)
  answer.resolve('late')
  expect(await first).toBe('late')
  expect([disk.isStill, await disk.of(write)]).toEqual([false, 'written'])
})

test('what was under way while another ended hangs as well as what was begun behind it', async () => {
  for (let at = 0; at < 60; at += 1) void disk.of(hang)
  expect(await disk.of(write)).toBe('written')
  await isStill()
  await expect(disk.of(write)).rejects.toThrow(REFUSED)
})

/** Under way until the disk is still, and given up then. */
async function giveUp(): Promise<void> {
  const given = new AbortController()
  const until = (): Promise<never> =>
    new Promise((_, reject) => given.signal.addEventListener('abort', () => reject(new Error('given up'))))
  const ended = expect(disk.of(until, given.signal)).rejects.toThrow('given up')
  await isStill()
  given.abort()
  await ended
}

test('a write that is given up is no answer of the disk, and does not hang any more', async () => {
  await giveUp()
  expect([disk.isStill, await disk.of(write)]).toEqual([false, 'written'])
  for (let at = 0; at < 2; at += 1) void disk.of(hang)
  await giveUp()
  await expect(disk.of(write)).rejects.toThrow(REFUSED)
})
