import { describe, expect, test } from 'vitest'
import { MAX_WAITED_FOR } from '../../../src/core/fetch/askers.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { fetching, LONG_MS, peersOf, RELEASE } from './offering.ts'

describe('on a crowded host', () => {
  const LATE_MS = 25
  const PAUSE_MS = 4 * LATE_MS
  const places = (lines: readonly string[]) => [...new Set(lines.map((line) => line.split(' ')[1]))]

  test('two neighbours hear at once, those told least, and of all that is new to them', () => {
    const node = fetching(LIMITS.fewBlocks + 1, 6)
    const rounds = [0, 1, 2, 3].map((place) => {
      node.block(place)
      return node.tick(LIMITS.haveBatchMs + LATE_MS)
    })
    expect(rounds.map(places)).toEqual([['0,1'], ['0,2'], ['0,3'], ['1,3']])
    expect(rounds.map(({ length }) => length)).toEqual([2, 2, 2, 2])
    const [first = [], second = [], third = [], fourth = []] = rounds.map(peersOf)
    expect(new Set([...first, ...second, ...third]).size).toBe(6)
    expect(fourth).toEqual(first)
  })

  test('where nothing new comes the others hear after a pause, and of the whole all do', () => {
    const node = fetching(LIMITS.fewBlocks + 1, 6)
    node.block(0)
    node.whole()
    const told = node.tick(LIMITS.haveBatchMs + LATE_MS)
    expect(told).toHaveLength(2)
    expect(node.tick(PAUSE_MS - 1)).toEqual([])
    told.push(...node.tick(1))
    expect(told).toHaveLength(4)
    told.push(...node.tick(PAUSE_MS))
    expect(new Set(peersOf(told)).size).toBe(6)
    expect(places(told)).toEqual(['whole'])
    expect(node.tick(LONG_MS)).toEqual([])
  })

  test('of few blocks the others of the four hear after a pause', () => {
    const node = fetching(4)
    node.block(0)
    const first = node.tick(LIMITS.haveBatchMs + LATE_MS)
    const second = node.tick(PAUSE_MS)
    expect(places([...first, ...second])).toEqual(['0,1'])
    expect([first.length, second.length]).toEqual([2, 2])
    expect(new Set(peersOf([...first, ...second])).size).toBe(4)
  })

  test('whoever asked hears at once', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    const asking = ['n1', 'n3', 'n5', 'n7', 'n9', 'n11']
    for (const name of asking) node.asks(name)
    node.block(0)
    const told = peersOf(node.tick(LIMITS.haveBatchMs + LATE_MS))
    expect(told).toEqual(expect.arrayContaining(asking))
    expect(told).toHaveLength(asking.length + 2)
  })

  test("whoever asks for what was said before hears at once, too, and takes nobody's place", () => {
    const node = fetching(LIMITS.fewBlocks + 1, 6)
    node.block(0)
    const told = peersOf(node.tick(LIMITS.haveBatchMs + LATE_MS)) as string[]
    for (const name of told) {
      node.asks(name)
      for (let at = 0; at < MAX_WAITED_FOR; at += 1) node.asks(name, `${at}` as ReleaseId)
    }
    const next = peersOf(node.tick(LIMITS.haveBatchMs + LATE_MS))
    expect(next).toEqual(expect.arrayContaining(told))
    expect(next).toHaveLength(4)
  })

  test("whoever has all that is new itself takes nobody's place", () => {
    const node = fetching(LIMITS.fewBlocks + 1, 8)
    for (const at of [0, 1, 2, 3, 4, 5])
      node.sources.announced(RELEASE, peer(`n${at}`), { whole: false, ranges: [0, 1] })
    node.block(0)
    expect(peersOf(node.tick(LIMITS.haveBatchMs + LATE_MS))).toEqual(['n6', 'n7'])
    expect(node.tick(LONG_MS)).toEqual([])
  })

  test('what it was late with once counts for two seconds', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    node.block(0)
    node.whole()
    const told = [...node.tick(LONG_MS), ...Array.from({ length: 200 }, () => node.tick(10)).flat()]
    expect(new Set(peersOf(told)).size).toBe(12)
  })

  test('how late it was with a release that comes no further says nothing of a later one', () => {
    const node = fetching(LIMITS.fewBlocks + 1, 2)
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs + 200)).toHaveLength(2)
    for (let at = 2; at < 12; at += 1) link(node.bench.journey, `n${at}`)
    node.bench.pass(2_000)
    node.block(1)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(12)
  })

  test('that is later than ten milliseconds, and a pause is a tenth of a second at least', () => {
    const inTime = fetching(LIMITS.fewBlocks + 1)
    inTime.block(0)
    expect(inTime.tick(LIMITS.haveBatchMs + 10)).toHaveLength(12)
    const late = fetching(LIMITS.fewBlocks + 1)
    late.block(0)
    expect(late.tick(LIMITS.haveBatchMs + 11)).toHaveLength(2)
    expect(late.tick(LIMITS.havePauseMs - 1)).toEqual([])
    expect(late.tick(1)).toHaveLength(10)
  })

  test('what is fetched anew while the whole is still said is said block by block', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    node.block(0)
    node.whole()
    expect(node.tick(LIMITS.haveBatchMs + LATE_MS)).toHaveLength(2)
    node.stop()
    node.block(3)
    expect(places(node.tick(LIMITS.haveBatchMs + LATE_MS))).toEqual(['3,1'])
  })

  test('once its timers are in time again all hear at once', () => {
    const node = fetching(LIMITS.fewBlocks + 20)
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs + 1_000)).toHaveLength(2)
    const counts: number[] = []
    for (let place = 1; place < 10; place += 1) {
      node.block(place)
      counts.push(node.tick(LIMITS.haveBatchMs).length)
    }
    expect(counts.at(0)).toBe(2)
    expect(counts.at(-1)).toBe(12)
  })
})
