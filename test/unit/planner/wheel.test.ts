import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Wheel } from '../../../src/sim/planner/wheel.ts'

/** Everything in the wheel, in the order in which it comes out. */
function drain(wheel: Wheel): [number, number][] {
  const out: [number, number][] = []
  while (wheel.next()) out.push([wheel.tick, wheel.a])
  return out
}

test('events come out by tick, and in one tick in the order in which they went in', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(20), fc.nat(200_000)), { maxLength: 200 }),
      fc.array(fc.nat(70_000), { maxLength: 50 }),
      (first, later) => {
        const wheel = new Wheel(8)
        let n = 0
        const wanted: [number, number][] = []
        const push = (tick: number): void => {
          wanted.push([tick, n])
          wheel.push(tick, 1, n++, 0, 0, 0)
        }
        for (const tick of first) push(tick)
        // Half-way, more is put in at and after the tick in hand.
        const out: [number, number][] = []
        for (let at = 0; at < first.length / 2 && wheel.next(); at++) out.push([wheel.tick, wheel.a])
        for (const wait of later) push(wheel.tick + wait)
        out.push(...drain(wheel))
        expect(out).toEqual(wanted.toSorted(([ta, a], [tb, b]) => ta - tb || a - b))
      },
    ),
  )
})

test('all four integers come back, and the wheel grows', () => {
  const wheel = new Wheel(1)
  for (let n = 0; n < 5_000; n++) wheel.push(n * 7, n % 200, n, 7 - n, n + 1, n - 1)
  for (let n = 0; n < 5_000; n++) {
    expect(wheel.next()).toBe(true)
    expect([wheel.tick, wheel.kind, wheel.a, wheel.b, wheel.c, wheel.d]).toEqual([
      n * 7,
      n % 200,
      n,
      7 - n,
      n + 1,
      n - 1,
    ])
  }
  expect(wheel.next()).toBe(false)
  expect(wheel.count).toBe(5_000)
})
