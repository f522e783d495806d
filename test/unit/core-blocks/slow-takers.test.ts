import { expect, test } from 'vitest'
import { MAX_SLOW, NOT_YET, SLOW_FOR_MS, SLOW_MS, SlowTakers } from '../../../src/core/serve/slow-takers.ts'
import { LIMITS } from '../../../src/limits.ts'
import { hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { server } from './server.ts'

function holding(submit = false) {
  const node = server(submit, LIMITS.maxServedAtOnce)
  for (let id = 0; id < 1_000; id += 1) node.journey.here.add(hex(`n${id}`))
  return { ...node, want: (id: number, from: string) => node.want(id, from, hex(`n${id}`)) }
}

test('two that read nothing share one place once four blocks of others have passed theirs, for a minute', () => {
  const node = holding()
  for (const name of ['A', 'B', 'C', 'D']) link(node.journey, name)
  for (const id of [1, 2]) expect(node.want(id, 'A')).toEqual([`serve ${id}`])
  for (const id of [3, 4]) expect(node.want(id, 'B')).toEqual([`serve ${id}`])
  expect(node.tick(SLOW_MS - 1)).toEqual([])
  expect(node.want(5, 'C')).toEqual(['busy 5'])
  expect(node.tick(SLOW_MS)).toEqual([])
  for (const id of [6, 7, 8, 9]) {
    if (id === 9) expect(node.tick(2 * SLOW_MS)).toEqual([])
    expect(node.want(id, 'C')).toEqual([`serve ${id}`])
    expect(node.want(50 + id, 'D')).toEqual([`busy ${50 + id}`])
    expect(node.want(90, 'A')).toEqual(['busy 90'])
    expect(node.served(id)).toEqual([])
  }
  for (const [id, from] of [
    [10, 'C'],
    [11, 'C'],
    [12, 'D'],
  ] as const)
    expect(node.want(id, from)).toEqual([`serve ${id}`])
  expect(node.want(91, 'B')).toEqual(['busy 91'])
  for (const id of [1, 2, 3, 4]) expect(node.served(id)).toEqual([])
  expect(node.want(13, 'A')).toEqual(['serve 13'])
  expect(node.want(92, 'A')).toEqual(['busy 92'])
  expect(node.want(93, 'B')).toEqual(['busy 93'])
  for (const id of [10, 11, 12, 13]) expect(node.served(id)).toEqual([])
  node.tick(2 * SLOW_MS + SLOW_FOR_MS)
  for (const id of [14, 15]) expect(node.want(id, 'A')).toEqual([`serve ${id}`])
})

test('two that ask a seed over a border and read nothing have no more, nor does their line go first', () => {
  const node = holding(true)
  for (const name of ['P', 'Q']) link(node.journey, name, { region: 'far' })
  link(node.journey, 'C')
  for (const id of [1, 2, 3]) expect(node.want(id, 'P')).toEqual([`serve ${id}`])
  expect(node.want(4, 'Q')).toEqual(['serve 4'])
  for (const [id, from] of [
    [5, 'P'],
    [6, 'P'],
    [7, 'Q'],
  ] as const)
    expect(node.want(id, from)).toEqual([])
  for (const id of [10, 11, 12, 13, 14, 15]) expect(node.want(id, 'C')).toEqual([])
  expect(node.tick(SLOW_MS)).toEqual(['serve 15'])
  expect(node.served(15)).toEqual(['serve 14'])
  expect(node.served(14)).toEqual(['serve 13'])
  expect(node.served(13)).toEqual(['serve 12'])
  expect(node.tick(3 * SLOW_MS)).toEqual([])
  expect(node.served(12)).toEqual(['busy 5', 'busy 6', 'busy 7', 'serve 10', 'serve 11'])
  expect(node.want(16, 'P')).toEqual(['busy 16'])
  for (const id of [1, 2, 3, 4]) expect(node.served(id)).toEqual([])
  expect(node.want(17, 'P')).toEqual(['serve 17'])
  expect(node.want(18, 'Q')).toEqual(['busy 18'])
  expect(node.want(19, 'C')).toEqual(['serve 19'])
  // What was not given after all is not booked either.
  link(node.journey, 'R', { region: 'far' })
  for (const id of [5, 7]) expect(node.want(id, 'R')).toEqual([])
})

test('where all are slow nobody is: one more is let by, and each has its places as before', () => {
  const node = holding()
  const names = ['A', 'B', 'C', 'D']
  for (const name of [...names, 'E', 'F']) link(node.journey, name)
  for (let round = 0; round < 3; round += 1) {
    const at = round * 20_000
    node.tick(at)
    for (const [id, name] of names.entries())
      expect(node.want(20 * round + id, name)).toEqual([`serve ${20 * round + id}`])
    expect(node.tick(at + SLOW_MS)).toEqual([])
    expect(node.want(20 * round + 4, 'E')).toEqual([`serve ${20 * round + 4}`])
    expect(node.want(20 * round + 5, 'F')).toEqual([`busy ${20 * round + 5}`])
    node.tick(at + 8_000)
    expect(node.want(20 * round + 6, 'F')).toEqual([`busy ${20 * round + 6}`])
    for (const id of [0, 1, 2, 3, 4]) expect(node.served(20 * round + id)).toEqual([])
  }
})

/** 2 Mbit/s. */
const BYTES_PER_MS = 250

interface Sent {
  readonly id: number
  readonly bytes: number
  ms: number
}

test.each([
  ['a whole block', LIMITS.maxBlockBytes],
  ['1 KiB', 1_024],
])(
  'who has three blocks at once over a slow uplink is not slow, whoever else takes %s at a time',
  (_, each) => {
    const node = holding(true)
    link(node.journey, 'P', { region: 'far' })
    link(node.journey, 'C')
    const onTheWay: Sent[] = []
    let ms = 0
    let next = 10
    for (const [at, id] of [1, 2, 3].entries()) {
      expect(node.want(id, 'P')).toEqual([`serve ${id}`])
      // Each a bit shorter than the one after: they end at different moments.
      onTheWay.push({ id, bytes: LIMITS.maxBlockBytes * (1 - at / 20), ms: 0 })
    }
    while (onTheWay.some(({ id }) => id <= 3)) {
      ms += 10
      node.tick(ms)
      if (onTheWay.every(({ id }) => id <= 3)) {
        expect(node.want(next, 'C')).toEqual([`serve ${next}`])
        onTheWay.push({ id: next, bytes: each, ms: 0 })
        next += 1
      }
      const share = (10 * BYTES_PER_MS) / onTheWay.length
      for (const one of [...onTheWay]) {
        one.ms += share
        if (one.ms < one.bytes) continue
        onTheWay.splice(onTheWay.indexOf(one), 1)
        expect(node.served(one.id, one.bytes)).toEqual([])
      }
    }
    expect(ms).toBeGreaterThan(SLOW_MS)
    for (const id of [4, 5]) expect(node.want(id, 'P')).toEqual([`serve ${id}`])
  },
)

test('who takes three blocks at once has three times as long for the last of them', () => {
  const node = holding(true)
  link(node.journey, 'P', { region: 'far' })
  link(node.journey, 'C')
  for (const id of [1, 2, 3]) expect(node.want(id, 'P')).toEqual([`serve ${id}`])
  node.tick(3 * SLOW_MS - 2)
  const pass = (from: number) => {
    for (let id = from; id < from + LIMITS.maxServedAtOnce; id += 1) {
      expect(node.want(id, 'C')).toEqual([`serve ${id}`])
      expect(node.served(id)).toEqual([])
    }
  }
  pass(10)
  for (const id of [1, 2]) expect(node.served(id)).toEqual([])
  node.tick(3 * SLOW_MS - 1)
  pass(20)
  for (const id of [4, 5]) expect(node.want(id, 'P')).toEqual([`serve ${id}`])
  for (const id of [4, 5]) expect(node.served(id)).toEqual([])
  node.tick(3 * SLOW_MS)
  pass(30)
  expect(node.want(6, 'P')).toEqual(['busy 6'])
})

test.each([
  ['before any other block has left', 0],
  ['after as many have left as pass it by', LIMITS.maxServedAtOnce],
])('a peer far away is not slow because this node stood still, %s', (_, many) => {
  const node = holding(true)
  link(node.journey, 'P', { region: 'far' })
  link(node.journey, 'C')
  expect(node.want(1, 'P')).toEqual(['serve 1'])
  node.tick(1)
  const pass = (from: number, most: number) => {
    for (let id = from; id < from + most; id += 1) {
      expect(node.want(id, 'C')).toEqual([`serve ${id}`])
      expect(node.served(id)).toEqual([])
    }
  }
  pass(10, many)
  node.standStill(SLOW_MS + 1_000)
  pass(20, LIMITS.maxServedAtOnce)
  expect(node.want(2, 'P')).toEqual(['serve 2'])
  expect(node.served(2)).toEqual([])
  // But as it takes nothing after that either.
  node.tick(LIMITS.blockDeadlineMs - 1)
  pass(30, LIMITS.maxServedAtOnce)
  expect(node.want(3, 'P')).toEqual(['busy 3'])
})

test.each([
  ['nor for as long as a block may take after that', SLOW_MS - 1, 'serve 2'],
  ['but because it does not take it after that either', SLOW_MS, 'busy 2'],
])('a peer is not slow because this node reads what it asks for off a slow disk, %s', (_, ms, answer) => {
  const node = holding(true)
  link(node.journey, 'P', { region: 'far' })
  link(node.journey, 'C')
  node.cold.add(1)
  expect(node.want(1, 'P')).toEqual(['serve 1'])
  const pass = (from: number) => {
    for (let id = from; id < from + LIMITS.maxServedAtOnce; id += 1) {
      expect(node.want(id, 'C')).toEqual([`serve ${id}`])
      expect(node.served(id)).toEqual([])
    }
  }
  const readMs = SLOW_MS + 500
  node.tick(readMs)
  pass(10)
  expect(node.serving(1)).toEqual([])
  pass(20)
  node.tick(readMs + ms)
  pass(30)
  expect(node.want(2, 'P')).toEqual([answer])
})

test('a block that begins before a standstill is noticed has had no more of it than it has been on its way', () => {
  const slow = new SlowTakers()
  slow.look([], LIMITS, 0)
  const late = { peer: peer('P'), sinceMonoMs: 4_000, passedByBytes: 0, ofItsPeer: 1, stoodMs: 0 }
  slow.look([late], LIMITS, 4_100)
  expect(late.stoodMs).toBe(100)
  const reading = { ...late, sinceMonoMs: NOT_YET, stoodMs: 0 }
  slow.look([reading], LIMITS, 8_000)
  expect(reading.stoodMs).toBe(0)
})

test('who has gone, or asks for what cannot be read, passes nobody by', () => {
  const node = holding()
  for (const name of ['A', 'C']) link(node.journey, name)
  expect(node.want(1, 'A')).toEqual(['serve 1'])
  node.tick(SLOW_MS)
  for (let id = 10; id < 20; id += 1) {
    expect(node.want(id, 'C')).toEqual([`serve ${id}`])
    expect(node.served(id, 0)).toEqual([])
  }
  expect(node.want(2, 'A')).toEqual(['serve 2'])
})

test('of many that were slow those are remembered that were so last', () => {
  const slow = new SlowTakers()
  for (let at = 0; at <= MAX_SLOW; at += 1) {
    const late = { peer: peer(`P${at}`), sinceMonoMs: 0, passedByBytes: 0, ofItsPeer: 1, stoodMs: 0 }
    const block = { peer: peer('C'), sinceMonoMs: 1, passedByBytes: 0, ofItsPeer: 1, stoodMs: 0 }
    const bytes = LIMITS.maxServedAtOnce * LIMITS.maxBlockBytes
    expect(slow.left(block, bytes, [late], LIMITS, SLOW_MS)).toBe(true)
  }
  expect([0, 1, MAX_SLOW].map((at) => slow.has(peer(`P${at}`), SLOW_MS))).toEqual([false, true, true])
})
