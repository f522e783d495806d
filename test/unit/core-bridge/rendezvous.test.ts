import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rank } from '../../../src/core/rendezvous.ts'
import type { PeerId } from '../../../src/model/ids.ts'

const peers = fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,8}$/), { maxLength: 20 }) as fc.Arbitrary<
  PeerId[]
>

describe('rendezvous', () => {
  it('ranks the same peers the same way, however they are listed', () => {
    fc.assert(
      fc.property(fc.string(), peers, (key, all) => {
        const ranked = rank(key, all)
        expect([...ranked].sort()).toEqual([...all].sort())
        expect(rank(key, [...all].reverse())).toEqual(ranked)
        expect(rank(key, [...all, ...all])).toEqual(ranked)
      }),
    )
  })

  it('keeps the order of the others when one goes', () => {
    fc.assert(
      fc.property(fc.string(), peers, fc.nat(), (key, all, which) => {
        const gone = all[which % Math.max(1, all.length)]
        const left = all.filter((peer) => peer !== gone)
        expect(rank(key, left)).toEqual(rank(key, all).filter((peer) => peer !== gone))
      }),
    )
  })

  it('spreads keys evenly: of 2,000 keys each of eight peers is first for 180 to 320', () => {
    const eight = Array.from({ length: 8 }, (_, at) => `peer${at}` as PeerId)
    const firsts = new Map<string, number>()
    for (let key = 0; key < 2_000; key += 1) {
      const [first = ''] = rank(`${key}`, eight)
      firsts.set(first, (firsts.get(first) ?? 0) + 1)
    }
    expect(firsts.size).toBe(8)
    for (const count of firsts.values()) expect(count).toSatisfy((n: number) => n >= 180 && n <= 320)
  })
})
