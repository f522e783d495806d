import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAR, NEAR, WantWindow } from '../../../src/core/fetch/want-window.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, type Want } from './fetcher.ts'

/** How many may be under way. */
function sizeOf(window: WantWindow): number {
  let size = 0
  while (window.isOpen(size)) size += 1
  return size
}

/** All that it lets be under way comes, each so long after it was asked for, and for each another is asked for. */
function round(window: WantWindow, tookMs: number, atMonoMs: number, silent = false): number {
  const underWay = sizeOf(window)
  for (let left = underWay; left > 0; left -= 1) window.arrived(underWay, atMonoMs, silent, atMonoMs + tookMs)
  return sizeOf(window)
}

describe('the window', () => {
  test('begins with four, and is sixteen two rounds later', () => {
    const window = new WantWindow(64, NEAR)
    expect(sizeOf(window)).toBe(4)
    expect([round(window, 10, 0), round(window, 10, 10)]).toEqual([8, 16])
  })

  test('is halved once for a round that came late, however many were, and grows by one a round from there', () => {
    const window = new WantWindow(16, NEAR)
    for (let at = 0; at < 10; at += 1) round(window, 10, 10 * at)
    expect(sizeOf(window)).toBe(16)
    expect(round(window, 1_001, 1_000)).toBe(8)
    const sizes = Array.from({ length: 5 }, (_, at) => round(window, 1_000, 3_000 * (at + 1)))
    expect(sizes).toEqual([8, 9, 10, 11, 12])
  })

  test('is halved where the sender counted as silent by then, though it took less', () => {
    const window = new WantWindow(16, NEAR)
    for (let at = 0; at < 10; at += 1) round(window, 10, 10 * at)
    expect(round(window, 500, 1_000, true)).toBe(8)
  })

  test('does not grow while little of it is made use of', () => {
    const window = new WantWindow(64, NEAR)
    for (let at = 0; at < 100; at += 1) window.arrived(1, at, false, at)
    expect(sizeOf(window)).toBe(4)
  })

  test.each([
    ['of neighbours', NEAR, 4, 2],
    ['over a border', FAR, 64, 1],
  ])(
    '%s, whatever comes, begins within its bound, is never beyond it, nor so small that nothing could',
    (_, shape, first, least) => {
      const block = fc.record({
        underWay: fc.nat(100),
        tookMs: fc.nat(9_000),
        silent: fc.boolean(),
        lost: fc.boolean(),
      })
      expect(sizeOf(new WantWindow(64, shape))).toBe(first)
      fc.assert(
        fc.property(fc.integer({ min: 4, max: 64 }), fc.array(block, { maxLength: 300 }), (most, blocks) => {
          const window = new WantWindow(most, shape)
          let monoMs = 0
          for (const { underWay, tookMs, silent, lost } of blocks) {
            monoMs += tookMs
            if (lost) window.nothingCame(monoMs - tookMs, monoMs)
            else window.arrived(underWay, monoMs - tookMs, silent, monoMs)
            expect(sizeOf(window)).toBeGreaterThanOrEqual(least)
            expect(sizeOf(window)).toBeLessThanOrEqual(most)
          }
        }),
      )
    },
  )
})

describe('of neighbours that have all', () => {
  const neighbours = Array.from({ length: 15 }, (_, at) => peer(`n${at}`))

  /** The manifest is read, and everybody announces everything. */
  function surrounded(blocks: number) {
    const node = fetcher({ blocks, self: peer('nobody'), neighbours })
    for (const want of node.announce(OTHER, [0])) node.give(want)
    const all = Array.from({ length: blocks }, (_, at) => at + 1)
    return { ...node, all, asked: [OTHER, ...neighbours].flatMap((from) => node.announce(from, all)) }
  }

  test('a node asks as many as the window says, and more as blocks come', () => {
    const { asked, give } = surrounded(60)
    expect(asked).toHaveLength(4)
    let wants: readonly Want[] = asked
    for (let left = 3; left > 0; left -= 1) wants = wants.flatMap(give)
    // One of each.
    expect(wants).toHaveLength(16)
  })

  test('of few blocks it asks for all', () => {
    expect(surrounded(LIMITS.fewBlocks - 1).asked).toHaveLength(LIMITS.fewBlocks - 1)
  })

  test('whoever says nothing takes no place in it for longer than it takes to count as silent', () => {
    const { asked, tick } = surrounded(60)
    expect(asked).toHaveLength(4)
    const later: Want[] = []
    for (let ms = 0; ms < 3 * LIMITS.blockSilenceMs; ms += 50) later.push(...tick(50))
    expect(later.length).toBeGreaterThanOrEqual(4)
    const silent = new Set(asked.map(({ to }) => to))
    expect(later.filter(({ to }) => silent.has(to))).toEqual([])
  })
})
