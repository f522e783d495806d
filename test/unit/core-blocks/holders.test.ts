import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bitmap } from '../../../src/core/bitmap.ts'
import { costOf, Holders, MAX_WHOLE, rangesOf } from '../../../src/core/holders.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'

const A = peer('A')
const B = peer('B')
const chances = Array.from({ length: 64 }, (_, at) => at / 64)
const open = (...places: number[]): Bitmap => {
  const bitmap = new Bitmap()
  for (const place of places) bitmap.add(place)
  return bitmap
}

describe('what a peer announced of a release', () => {
  test('ranges say exactly the places they were made of', () => {
    const places = fc.uniqueArray(fc.integer({ min: 0, max: 300 }), { maxLength: 64 })
    fc.assert(
      fc.property(places, (some) => {
        const holders = new Holders()
        holders.takes(A, { whole: false, ranges: rangesOf(some.toSorted((a, b) => a - b)) })
        for (let place = 0; place <= 301; place += 1) expect(holders.has(A, place)).toBe(some.includes(place))
      }),
    )
  })

  test('adds up over messages, and everything is everything', () => {
    const holders = new Holders()
    holders.takes(A, { whole: false, bitmap: new Uint8Array([0b101]) })
    holders.takes(A, { whole: false, ranges: [9, 2] })
    expect([0, 1, 2, 9, 10, 11].filter((place) => holders.has(A, place))).toEqual([0, 2, 9, 10])
    holders.takes(A, { whole: true })
    expect(holders.has(A, 12_345)).toBe(true)
    expect(holders.pick(A, open(7), 0)).toBe(7)
  })

  test('a range without end costs no more than the largest release', () => {
    const holders = new Holders()
    const since = process.cpuUsage()
    holders.takes(A, { whole: false, ranges: Array.from({ length: 512 }, () => 2 ** 24) })
    holders.takes(A, { whole: false, ranges: Array.from({ length: 512 }, (_, at) => (at % 2) * 2 ** 24) })
    // of this process: what others do meanwhile is not in it
    const { user, system } = process.cpuUsage(since)
    expect((user + system) / 1_000).toBeLessThan(1_000)
    expect(holders.has(A, 2 ** 24)).toBe(false)
  })

  test('costs as many messages as there are places in it, in some thousands', () => {
    const costs = [
      { whole: true },
      { whole: false, ranges: [0, 16_383] },
      { whole: false, ranges: [0, 2 ** 24] },
    ]
    expect(costs.map(costOf)).toEqual([1, 1, 65])
    expect(costOf({ whole: false, bitmap: new Uint8Array(4_096), ranges: [0, 1, 9, 16_384] })).toBe(4)
  })

  test('what one alone has is taken before what others have, too', () => {
    const holders = new Holders()
    holders.takes(A, { whole: false, ranges: [0, 8] })
    holders.takes(B, { whole: false, bitmap: new Uint8Array([0b1110_1111]) })
    const picked = (by: PeerId) => new Set(chances.map((chance) => holders.pick(by, open(0, 4, 7), chance)))
    expect(picked(A)).toEqual(new Set([4]))
    expect(picked(B)).toEqual(new Set([0, 7]))
    // Said twice it is no more; with the other gone it is the only one's again.
    holders.takes(A, { whole: false, ranges: [4, 1] })
    expect(picked(A)).toEqual(new Set([4]))
    holders.forget(B)
    expect(picked(A)).toEqual(new Set([0, 4, 7]))
  })

  test('of whoever has all, first what nobody else has announced', () => {
    const holders = new Holders()
    holders.takes(A, { whole: true })
    holders.takes(B, { whole: false, ranges: [0, 4] })
    for (const chance of chances) expect(holders.pick(A, open(1, 2, 6), chance)).toBe(6)
    expect(holders.pick(A, open(1), 0.5)).toBe(1)
  })

  test('counts no longer once the peer lacked some of it', () => {
    const holders = new Holders()
    holders.takes(A, { whole: true })
    holders.lacks(A)
    expect(holders.pick(A, open(1), 0)).toBeUndefined()
    expect(holders.announced(1, () => true)).toBe(false)
  })

  test('asked for what it never announced it has told no lie', () => {
    const holders = new Holders()
    holders.takes(A, { whole: false, ranges: [3, 1] })
    expect(holders.lacks(A, 4)).toBe(false)
    expect(holders.has(A, 3)).toBe(true)
    expect(holders.lacks(A, 3)).toBe(true)
    expect(holders.has(A, 3)).toBe(false)
  })

  test('never counts again once it gave wrong bytes', () => {
    const holders = new Holders()
    holders.lied(A)
    holders.takes(A, { whole: true })
    holders.gave(A)
    expect(holders.isLiar(A)).toBe(true)
    expect(holders.pick(A, open(1), 0)).toBeUndefined()
  })

  test('whoever gave a block unasked for may have the rest; what it announced itself goes before', () => {
    const holders = new Holders()
    holders.gave(A)
    expect(holders.pick(A, open(5), 0)).toBe(5)
    const other = new Holders()
    other.takes(A, { whole: false, ranges: [3, 1] })
    other.gave(A)
    expect(other.pick(A, open(5), 0)).toBeUndefined()
  })
})

test('the places of a peer that has everything can be forgotten; of any other there is nothing left then', () => {
  const holders = new Holders()
  const C = peer('C')
  for (const each of [A, B]) holders.takes(each, { whole: false, ranges: [1, 1] })
  holders.takes(C, { whole: false, ranges: [1, 2] })
  holders.takes(A, { whole: true })
  for (const each of [A, B]) holders.forgetPlaces(each)
  expect([holders.isWhole(A), holders.knows(B)]).toEqual([true, false])
  // 1 is C's alone by now, as is 2
  expect(new Set(chances.map((chance) => holders.pick(C, open(1, 2), chance)))).toEqual(new Set([1, 2]))
})

test('of those that have all so many are remembered as may be asked at once; who was asked in vain makes room', () => {
  const holders = new Holders()
  const all = Array.from({ length: MAX_WHOLE + 2 }, (_, at) => peer(`P${at}`))
  for (const one of all.slice(0, -1)) holders.takes(one, { whole: true })
  holders.takes(all[MAX_WHOLE] as PeerId, { whole: false, ranges: [3, 1] })
  holders.takes(all[MAX_WHOLE] as PeerId, { whole: true })
  const known = () => all.filter((one) => holders.isWhole(one))
  expect(known()).toEqual(all.slice(0, MAX_WHOLE))
  expect(holders.has(all[MAX_WHOLE] as PeerId, 3)).toBe(true)
  holders.takes(all[MAX_WHOLE + 1] as PeerId, { whole: true }, (one) => one !== all[7])
  expect(known()).toEqual([...all.slice(0, 7), ...all.slice(8, MAX_WHOLE), all[MAX_WHOLE + 1]])
  expect(MAX_WHOLE).toBeGreaterThanOrEqual(LIMITS.maxWants / LIMITS.maxWantsPerPeer)
})

test('what one that has all says of single places is not said of another', () => {
  const holders = new Holders()
  for (const one of [A, B]) holders.takes(one, { whole: true })
  holders.takes(A, { whole: false, ranges: [3, 1] })
  holders.forgetPlaces(B)
  holders.lacks(A)
  expect([A, B].map((one) => holders.has(one, 3))).toEqual([false, true])
})

test('what two peers or more have announced is counted, those that have all among them', () => {
  const holders = new Holders()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(peer) as [PeerId, PeerId, PeerId, PeerId]
  holders.takes(a, { whole: false, ranges: [0, 6] })
  expect(holders.spread(20)).toBe(0)
  holders.takes(b, { whole: false, ranges: [4, 6] })
  expect(holders.spread(20)).toBe(2)
  holders.takes(c, { whole: true })
  expect(holders.spread(20)).toBe(10)
  holders.takes(d, { whole: true })
  expect(holders.spread(20)).toBe(20)
  for (const one of [c, d, b]) holders.forget(one)
  expect(holders.spread(20)).toBe(0)
})
