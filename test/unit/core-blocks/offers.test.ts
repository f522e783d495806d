import { describe, expect, test } from 'vitest'
import { MAX_RANGES } from '../../../src/codec/blocks-messages.ts'
import { Offers } from '../../../src/core/fetch/offers.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { LIMITS } from '../../../src/limits.ts'
import { Bench, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { CHANNEL, fetching, LONG_MS, peersOf, RELEASE } from './offering.ts'

describe('a release of few blocks', () => {
  test('is offered to four neighbours, the same from the first block to the last', () => {
    const node = fetching(4)
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs - 1)).toEqual([])
    const first = node.tick(1)
    expect(first.map((line) => line.split(' ')[1])).toEqual(['0,1', '0,1', '0,1', '0,1'])
    node.block(2)
    const second = node.tick(LIMITS.haveBatchMs)
    expect(second.map((line) => line.split(' ')[1])).toEqual(['2,1', '2,1', '2,1', '2,1'])
    node.block(1)
    node.block(3)
    node.whole()
    const last = node.tick(0)
    expect(last.map((line) => line.split(' ')[1])).toEqual(['whole', 'whole', 'whole', 'whole'])
    expect(peersOf(second)).toEqual(peersOf(first))
    expect(peersOf(last)).toEqual(peersOf(first))
  })

  test('as a whole it is offered to one more, then to another, and then to nobody', () => {
    const node = fetching(1)
    node.block(0)
    node.whole()
    const four = node.tick(0)
    const one = node.tick(LIMITS.fewPauseMs)
    const another = node.tick(2 * LIMITS.fewPauseMs)
    expect([four.length, one.length, another.length]).toEqual([4, 1, 1])
    expect(new Set(peersOf([...four, ...one, ...another])).size).toBe(6)
    expect(node.tick(LONG_MS)).toEqual([])
  })

  test('while a part is missing one neighbour after another hears of it, each twice as late', () => {
    const node = fetching(3, 7)
    node.block(0)
    const told = [node.tick(LIMITS.haveBatchMs).length]
    for (let late = 0; late < 4; late += 1) {
      expect(node.tick(LIMITS.fewPauseMs * 2 ** late - 1)).toEqual([])
      told.push(node.tick(1).length)
    }
    expect(told).toEqual([4, 1, 1, 1, 0])
    node.block(1)
    node.block(2)
    node.whole()
    expect(node.tick(0)).toHaveLength(7)
    expect(node.tick(LONG_MS)).toEqual([])
  })

  test('a place for one more neighbour is a message to that one alone', () => {
    const node = fetching(4)
    node.block(0)
    node.tick(LIMITS.haveBatchMs)
    // The first place is due before the next block is worth a message of its own.
    node.block(1)
    node.block(2)
    const soon = node.tick(LIMITS.haveBatchMs)
    expect(soon).toHaveLength(4)
    node.block(3)
    expect(node.tick(LIMITS.fewPauseMs)).toHaveLength(1)
  })

  test('the later the timers of this host are, the longer what can wait does, but a second at most', () => {
    const node = fetching(4)
    node.block(0)
    // Due after 10 ms, as on a host that fifty nodes share.
    expect(node.tick(LIMITS.haveBatchMs + 100)).toHaveLength(2)
    node.block(1)
    expect(node.tick(399)).toEqual([])
    expect(node.tick(1)).toHaveLength(2)
    node.block(2)
    expect(node.tick(LONG_MS)).not.toEqual([])
    node.block(3)
    expect(node.tick(999)).toEqual([])
    expect(node.tick(1)).not.toEqual([])
  })

  test('first to those that announced nothing, and never to those that announced all that is here', () => {
    const node = fetching(3, 6)
    node.sources.announced(RELEASE, peer('n0'), { whole: true })
    node.sources.announced(RELEASE, peer('n1'), { whole: false, ranges: [0, 1] })
    node.sources.announced(RELEASE, peer('n2'), { whole: false, ranges: [1, 1] })
    node.block(0)
    expect(peersOf(node.tick(LIMITS.haveBatchMs))).toEqual(['n2', 'n3', 'n4', 'n5'])
  })

  test('its last block is said with the whole, or by itself where that takes long', () => {
    const node = fetching(3)
    for (const place of [0, 1, 2]) node.block(place)
    const first = node.tick(LIMITS.haveBatchMs)
    expect(first.map((line) => line.split(' ')[1])).toEqual(['0,3', '0,3', '0,3', '0,3'])
  })

  test('a page and its only block are said once, as the whole, as soon as both are here: a slow disk may take long over the record', () => {
    const node = fetching(2)
    node.block(0)
    expect(node.tick(LIMITS.havePauseMs)).toEqual([])
    node.block(1)
    const four = node.tick(0)
    expect(four.map((line) => line.split(' ')[1])).toEqual(['whole', 'whole', 'whole', 'whole'])
    const later = [...node.tick(LIMITS.fewPauseMs), ...node.tick(2 * LIMITS.fewPauseMs)]
    expect(later.map((line) => line.split(' ')[1])).toEqual(['whole', 'whole'])
    expect(node.tick(LONG_MS)).toEqual([])
    node.whole()
    expect(node.tick(LONG_MS)).toEqual([])
  })

  test('two blocks that are no more than one may be are said once, too', () => {
    const node = fetching(3, 12, { bytes: LIMITS.maxBlockBytes })
    for (const place of [0, 1]) node.block(place)
    expect(node.tick(LIMITS.havePauseMs)).toEqual([])
    node.block(2)
    expect(node.tick(0).map((line) => line.split(' ')[1])).toEqual(['whole', 'whole', 'whole', 'whole'])
  })

  test.each([
    ['a byte more', 3, LIMITS.maxBlockBytes + 1],
    ['a third', 4, LIMITS.maxBlockBytes],
  ])('%s, and each is said', (_, places, bytes) => {
    const node = fetching(places, 12, { bytes })
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(4)
  })

  test('the page is said without its only block once that takes very long: somebody else may have it', () => {
    const node = fetching(2)
    node.block(0)
    expect(node.tick(LIMITS.blockDeadlineMs / 2 - 1)).toEqual([])
    expect(node.tick(1).map((line) => line.split(' ')[1])).toEqual(['0,1', '0,1', '0,1', '0,1'])
  })

  test('who asks while only the page is here is told once the block is, too', () => {
    const node = fetching(2)
    node.block(0)
    node.asks('n3')
    expect(node.tick(LIMITS.havePauseMs)).toEqual([])
    node.block(1)
    expect(node.tick(0)).toHaveLength(5)
  })

  test('a neighbour that goes leaves its place to another', () => {
    const node = fetching(3)
    node.block(0)
    const [gone] = peersOf(node.tick(LIMITS.haveBatchMs))
    node.offers.onDisconnected(peer(gone as string))
    node.bench.journey.links.delete(peer(gone as string))
    node.block(1)
    const next = node.tick(LIMITS.haveBatchMs)
    expect(next.filter((line) => line.endsWith(' 0,2'))).toHaveLength(1)
    expect(next.filter((line) => line.endsWith(' 1,1'))).toHaveLength(3)
  })
})

describe('a neighbour that asked before anything was here', () => {
  test('is told as soon as something is, before others and beside them, and once', () => {
    const node = fetching(4)
    for (const name of ['n3', 'n7']) node.asks(name)
    node.block(0)
    const told = peersOf(node.tick(LIMITS.haveBatchMs))
    expect(told).toHaveLength(6)
    expect(told).toEqual(expect.arrayContaining(['n3', 'n7']))
    node.block(1)
    expect(node.tick(LIMITS.haveBatchMs).filter((line) => line === 'n3 1,1')).toHaveLength(1)
  })

  test('is not once it has gone', () => {
    const node = fetching(4)
    for (const name of ['n3', 'n7']) node.asks(name)
    for (const name of ['n3', 'n7']) node.offers.onDisconnected(peer(name))
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(4)
  })

  test('is not where the release was dropped meanwhile', () => {
    const node = fetching(4)
    for (const name of ['n3', 'n7']) node.asks(name)
    node.offers.stop(RELEASE)
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(4)
  })
})

describe('a release of many blocks', () => {
  test('is offered to all, soon while there is much that is new, later where there is little', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    node.sources.announced(RELEASE, peer('n0'), { whole: false, ranges: [1, 7] })
    node.block(0)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(12)
    for (const place of [1, 2, 3, 4]) node.block(place)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(11)
    for (const place of [5, 6, 7]) node.block(place)
    expect(node.tick(LIMITS.havePauseMs - 1)).toEqual([])
    expect(node.tick(1)).toHaveLength(11)
  })

  test('whoever has some of it itself hears of the rest alone, and all of it where it asks: it may have lost them', () => {
    const node = fetching(LIMITS.fewBlocks + 1, 2)
    node.sources.announced(RELEASE, peer('n0'), { whole: false, ranges: [1, 2] })
    for (const place of [0, 1, 2]) node.block(place)
    expect(node.tick(LIMITS.havePauseMs).sort()).toEqual(['n0 0,1', 'n1 0,3'])
    node.asks('n0')
    expect(node.tick(LIMITS.haveBatchMs)).toEqual(['n0 0,3'])
  })

  test('what nobody else has is not kept back', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    node.sources.announced(RELEASE, peer('n0'), { whole: false, ranges: [1, 7] })
    for (const place of [0, 1, 2, 3, 4]) node.block(place)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(12)
    node.block(5)
    expect(node.tick(LIMITS.haveBatchMs)).toEqual([])
    node.block(8)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(12)
  })

  test('a neighbour that asks hears all of it anew, as what it was told may be lost; not at once again', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    for (const place of [0, 1, 5]) node.block(place)
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(12)
    const ask = () => void node.bench.run((step) => node.offers.onAsked(step, RELEASE, peer('n3'), false))
    ask()
    expect(node.tick(LIMITS.haveBatchMs)).toEqual(['n3 0,2,5,1'])
    ask()
    expect(node.tick(900)).toEqual([])
    node.bench.pass(100)
    ask()
    expect(node.tick(LIMITS.haveBatchMs)).toEqual(['n3 0,2,5,1'])
  })

  test('to whoever is new it is told in as many messages as its parts need, each part once', () => {
    const parts = MAX_RANGES / 2 + 1
    const node = fetching(4 * parts, 1)
    for (let at = 0; at < parts; at += 1) node.block(2 * at)
    const told = node.tick(0)
    expect(told).toHaveLength(2)
    const places = told.flatMap((line) => (line.split(' ')[1] ?? '').split(',')).map(Number)
    expect(places).toEqual(Array.from({ length: parts }, (_, at) => [2 * at, 1]).flat())
  })

  test('as a whole it is offered however late the node comes to it', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    node.whole()
    const told = peersOf([LONG_MS, 1_000, 1_000, 1_000, 1_000, 1_000].flatMap((ms) => node.tick(ms)))
    expect(new Set(told).size).toBe(12)
    expect(node.tick(LONG_MS)).toEqual([])
  })

  test('as a whole it is offered to all, once', () => {
    const node = fetching(LIMITS.fewBlocks + 1)
    node.block(0)
    node.whole()
    expect(node.tick(LIMITS.haveBatchMs)).toHaveLength(12)
    expect(node.tick(LONG_MS)).toEqual([])
  })
})

test('a seed offers nothing', () => {
  const bench = new Bench({ submit: true })
  link(bench.journey, 'A', { region: bench.journey.region })
  const offers = new Offers(bench.config, new Sources(LIMITS))
  bench.run((step) => offers.onWhole(step, RELEASE, CHANNEL, true))
  expect(bench.run((step, journey) => offers.onTick(step, journey))).toEqual([])
})
