/** A large release is asked for as fast as a quarter of the store's time lets it be written; a small one does not wait. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BulkPace } from '../../../src/core/fetch/bulk-pace.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, type Want } from './fetcher.ts'

/** Blocks asked for in `lastMs`, each written alone, at once when it is asked for. */
function asked(pace: BulkPace, writeMs: number, lastMs: number): number {
  let count = 0
  for (let monoMs = 0; monoMs < lastMs; count += 1) {
    pace.asked(monoMs)
    pace.began(monoMs)
    pace.wrote(monoMs + writeMs)
    monoMs = Math.max(monoMs + writeMs, pace.nextMonoMs)
  }
  return count
}

describe('the pace', () => {
  test('whatever a write takes, the store is busy with it for a quarter of the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 250 }), (writeMs) => {
        const lastMs = 200 * writeMs
        expect((asked(new BulkPace(), writeMs, lastMs) * writeMs) / lastMs).toBeCloseTo(1 / 4, 1)
      }),
    )
  })

  test('where the own timers are late, it is an eighth, and a quarter again soon after', () => {
    const pace = new BulkPace()
    /** Blocks asked for in a minute, each timer so late. */
    const inMinute = (fromMs: number, lateMs: number): number => {
      let count = 0
      for (let monoMs = fromMs; monoMs < fromMs + 60_000; count += 1) {
        pace.asked(monoMs)
        pace.began(monoMs)
        pace.wrote(monoMs + 100)
        monoMs += 100
        while (pace.isEarly(monoMs)) monoMs = pace.nextMonoMs + lateMs
      }
      return count
    }
    expect(inMinute(0, 2) * 100).toBeGreaterThan(14_000)
    expect(inMinute(60_000, 30) * 100).toBeLessThan(8_500)
    expect(inMinute(120_000, 2) * 100).toBeGreaterThan(14_000)
  })

  test('what was put off and came to nothing says nothing of timers', () => {
    const pace = new BulkPace()
    asked(pace, 10, 10_000)
    expect(pace.isEarly(pace.nextMonoMs - 1)).toBe(true)
    expect(pace.isEarly(60_000)).toBe(false)
    expect((asked(pace, 10, 62_000) * 10) / 62_000).toBeGreaterThan(0.2)
  })

  test('a time in which nothing was put off says nothing of timers', () => {
    const pace = new BulkPace()
    asked(pace, 10, 10_000)
    expect(pace.isEarly(pace.nextMonoMs + 300)).toBe(false)
    expect((asked(pace, 10, 62_000) * 10) / 62_000).toBeGreaterThan(0.2)
  })

  test('blocks that are written together take the time of one', () => {
    const pace = new BulkPace()
    for (let round = 0; round < 20; round += 1) {
      pace.began(100 * round)
      for (let block = 0; block < 8; block += 1) pace.wrote(100 * round + 16)
    }
    // 2 ms each, up to what is left of the last round.
    pace.asked(10_000)
    pace.asked(10_000)
    pace.asked(10_000)
    pace.asked(10_000)
    expect(pace.nextMonoMs).toBeGreaterThan(10_006)
    expect(pace.nextMonoMs).toBeLessThan(10_011)
  })

  test('where nothing was asked for a while four may be at once, and no more', () => {
    const pace = new BulkPace()
    asked(pace, 10, 10_000)
    const atOnce = () => {
      let count = 0
      for (; pace.nextMonoMs <= 60_000; count += 1) pace.asked(60_000)
      return count
    }
    expect(atOnce()).toBe(4)
    expect(atOnce()).toBe(0)
  })

  test('one that stood still for an hour, and is as fast as before, is soon asked for as much as before', () => {
    const pace = new BulkPace()
    asked(pace, 2, 1_000)
    pace.began(1_000)
    pace.wrote(3_600_000)
    let monoMs = 3_600_000
    for (let block = 0; block < 100; block += 1) {
      pace.asked(monoMs)
      pace.began(monoMs)
      pace.wrote(monoMs + 2)
      monoMs = Math.max(monoMs + 2, pace.nextMonoMs)
    }
    expect(monoMs - 3_600_000).toBeLessThan(6_000)
    expect(pace.nextMonoMs - monoMs).toBeLessThan(20)
  })

  test('a store that takes for ever holds up no question for longer than a second', () => {
    const pace = new BulkPace()
    asked(pace, 60_000, 600_000)
    const before = pace.nextMonoMs
    pace.asked(before)
    expect(pace.nextMonoMs).toBe(before + 1_000)
  })
})

describe('a node', () => {
  const blocks = 256
  const neighbours = Array.from({ length: 7 }, (_, at) => peer(`n${at}`))

  /** All neighbours have all of it, and a store takes 10 ms a block. @returns milliseconds until all of it is here */
  function takes(bytes: number): number {
    const blockBytes = bytes / blocks
    const node = fetcher({ blocks, blockBytes, self: peer('nobody'), neighbours, writeMs: 10 })
    const all = Array.from({ length: blocks }, (_, at) => at + 1)
    const wants: Want[] = node.announce(OTHER, [0]).flatMap((want) => node.give(want))
    for (const from of [OTHER, ...neighbours]) wants.push(...node.announce(from, all))
    let ms = 10
    for (let came = 0; came < blocks; ) {
      const want = wants.shift()
      if (want === undefined) {
        wants.push(...node.tick(1))
        ms += 1
        continue
      }
      wants.push(...node.give(want))
      came += 1
      ms += 10
    }
    return ms
  }

  test('takes a release as fast as its store does, and a large one a quarter as fast', () => {
    expect(takes(LIMITS.pacedBytes)).toBeLessThan(15 * blocks)
    const large = takes(LIMITS.pacedBytes + blocks)
    expect(large).toBeGreaterThan(36 * blocks)
    expect(large).toBeLessThan(44 * blocks)
  })
})
