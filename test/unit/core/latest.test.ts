import { describe, expect, it } from 'vitest'
import { LatestMap, LatestSet } from '../../../src/core/latest.ts'
import { stream } from '../../../src/sim/random.ts'

interface Kept {
  put(key: number): unknown
  has(key: number): boolean
  delete(key: number): boolean
  keys(): Iterable<number>
  readonly size: number
}

const KINDS: readonly (readonly [string, (max: number) => Kept])[] = [
  [
    'map',
    (max) => {
      const map = new LatestMap<number, string>(max)
      return Object.assign(map, { put: (key: number) => map.set(key, `value ${key}`) })
    },
  ],
  [
    'set',
    (max) => {
      const set = new LatestSet<number>(max)
      return Object.assign(set, { put: (key: number) => set.add(key) })
    },
  ],
]

describe.each(KINDS)('a %s of the latest keys', (_kind, make) => {
  it('forgets the key put longest ago, and no sooner than it has one too many', () => {
    const kept = make(2)
    kept.put(1)
    kept.put(2)
    expect([...kept.keys()]).toEqual([1, 2])
    kept.put(3)
    expect([...kept.keys()]).toEqual([2, 3])
  })

  it('takes a key that is put again for new', () => {
    const kept = make(2)
    for (const key of [1, 2, 1, 3]) kept.put(key)
    expect([...kept.keys()]).toEqual([1, 3])
  })

  it('has room again where a key was deleted', () => {
    const kept = make(2)
    kept.put(1)
    kept.put(2)
    kept.delete(1)
    kept.put(3)
    expect([...kept.keys()]).toEqual([2, 3])
  })

  it('without a bound forgets nothing', () => {
    const kept = make(Number.POSITIVE_INFINITY)
    for (let key = 0; key < 1_000; key += 1) kept.put(key)
    expect(kept.size).toBe(1_000)
  })

  it('is the tail of a list, whatever is done', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const random = stream(seed)
      const max = 1 + Math.floor(random() * 5)
      const kept = make(max)
      let list: number[] = []
      for (let n = 0; n < 100; n += 1) {
        const key = Math.floor(random() * 8)
        list = list.filter((other) => other !== key)
        if (random() < 0.2) kept.delete(key)
        else {
          kept.put(key)
          list = [...list, key].slice(-max)
        }
        expect([...kept.keys()], `seed ${seed}, step ${n}`).toEqual(list)
      }
    }
  })
})

it('a map gives the value put last', () => {
  const map = new LatestMap<string, number>(2)
  map.set('a', 1).set('b', 2).set('a', 3)
  expect([...map]).toEqual([
    ['b', 2],
    ['a', 3],
  ])
})
