import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { Entrants, parentRegion } from '../../../src/core/fetch/entry.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'

const digests = Array.from({ length: 2_000 }, (_, at) => sha256(new TextEncoder().encode(`block ${at}`)))
const peers = (count: number): PeerId[] => Array.from({ length: count }, (_, at) => `peer-${at}` as PeerId)

describe('the fetcher of a block', () => {
  test('is the same for all who know the same gateways, in whatever order', () => {
    const a = new Entrants(peers(8))
    const b = new Entrants(peers(8).reverse())
    for (const digest of digests) expect(a.fetcher(digest)).toBe(b.fetcher(digest))
  })

  test('each gateway has about its share', () => {
    const entrants = new Entrants(peers(8))
    const shares = new Map<PeerId | undefined, number>()
    for (const digest of digests) {
      const fetcher = entrants.fetcher(digest)
      shares.set(fetcher, (shares.get(fetcher) ?? 0) + 1)
    }
    // 250 on average; 190 … 310 are four standard deviations.
    for (const peer of peers(8)) {
      expect(shares.get(peer)).toBeGreaterThan(190)
      expect(shares.get(peer)).toBeLessThan(310)
    }
  })

  test('a gateway that goes moves only the blocks that were its own', () => {
    const all = new Entrants(peers(8))
    const fewer = new Entrants(peers(8).slice(1))
    for (const digest of digests) {
      const before = all.fetcher(digest)
      if (before !== 'peer-0') expect(fewer.fetcher(digest)).toBe(before)
      else expect(all.fetcher(digest, new Set(['peer-0' as PeerId]))).toBe(fewer.fetcher(digest))
    }
  })

  test('is nobody where there is no gateway', () => {
    expect(new Entrants([]).fetcher(digests[0] as Digest)).toBeUndefined()
  })
})

describe('the regions of a block form a tree', () => {
  const regions = fc
    .uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 1, maxLength: 12 })
    .map((names) => names.toSorted())

  test('rooted at home, none feeding more than its share, each reached', () => {
    fc.assert(
      fc.property(
        regions,
        fc.nat(),
        fc.nat({ max: 1_999 }),
        fc.integer({ min: 1, max: 4 }),
        (names, pick, at, exported) => {
          const home = names[pick % names.length] as string
          const digest = digests[at] as Digest
          expect(parentRegion(digest, home, home, names, exported)).toBeUndefined()
          const children = new Map<string, number>()
          for (const name of names.filter((one) => one !== home)) {
            let region = name
            for (let steps = 0; region !== home; steps += 1) {
              expect(steps).toBeLessThan(names.length)
              region = parentRegion(digest, region, home, names, exported) as string
            }
            const parent = parentRegion(digest, name, home, names, exported) as string
            children.set(parent, (children.get(parent) ?? 0) + 1)
          }
          for (const count of children.values()) expect(count).toBeLessThanOrEqual(exported)
        },
      ),
    )
  })

  test('turns from block to block, so that no region feeds always and none is always last', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'home']
    const parents = new Set(digests.map((digest) => parentRegion(digest, 'c', 'home', names, 2)))
    expect([...parents].sort()).toEqual(['a', 'e', 'home'])
  })
})
