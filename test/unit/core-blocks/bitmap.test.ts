import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bitmap } from '../../../src/core/bitmap.ts'

const places = fc.uniqueArray(fc.integer({ min: 0, max: 5_000 }), { maxLength: 64 })
const chance = fc.double({ min: 0, max: 0.999_999, noNaN: true })

function bitmapOf(members: readonly number[]): Bitmap {
  const bitmap = new Bitmap()
  for (const place of members) bitmap.add(place)
  return bitmap
}

describe('a bitmap is a set of places', () => {
  test('members, count and bytes agree with a set after any additions and removals', () => {
    fc.assert(
      fc.property(places, places, (added, removed) => {
        const bitmap = bitmapOf(added)
        for (const place of removed) bitmap.delete(place)
        const set = new Set(added.filter((place) => !removed.includes(place)))
        expect(bitmap.count).toBe(set.size)
        for (const place of [...added, ...removed, 7, 4_999]) expect(bitmap.has(place)).toBe(set.has(place))
        const again = new Bitmap(bitmap.toBytes())
        expect(again.count).toBe(set.size)
        for (const place of set) expect(again.has(place)).toBe(true)
      }),
    )
  })

  test('a pick is a member of both, and there is one wherever both have one', () => {
    fc.assert(
      fc.property(places, places, chance, (a, b, random) => {
        const common = a.filter((place) => b.includes(place))
        const picked = bitmapOf(a).pick(bitmapOf(b), random)
        if (common.length === 0) expect(picked).toBeUndefined()
        else expect(common).toContain(picked)
      }),
    )
  })

  test('a worse one is picked only where no better one is near', () => {
    fc.assert(
      fc.property(places, places, chance, (a, bad, random) => {
        const picked = bitmapOf(a).pick(undefined, random, bitmapOf(bad))
        if (a.length === 0) expect(picked).toBeUndefined()
        else expect(a).toContain(picked)
        // Within the first 4,096 places everything is near.
        const near = a.filter((place) => place < 4_000)
        const better = near.filter((place) => !bad.includes(place))
        const chosen = bitmapOf(near).pick(undefined, random, bitmapOf(bad))
        if (better.length > 0) expect(better).toContain(chosen)
      }),
    )
  })

  test('every member is picked by some chance', () => {
    const bitmap = bitmapOf([3, 70, 1_000])
    const picked = new Set(Array.from({ length: 4_000 }, (_, at) => bitmap.pick(undefined, at / 4_000)))
    expect([...picked].sort()).toEqual([1_000, 3, 70])
  })
})
