import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyChannel, headsOf, isHeld, seenOf, targetOf } from '../../../src/core/channel.ts'
import { placeOf } from '../../../src/core/order.ts'
import { replaces } from '../../../src/model/clock.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { comparePlaces, placeBefore } from '../../../src/model/place.ts'
import {
  anyRelease,
  arrivals,
  goodRelease,
  history,
  publisher,
  shuffled,
  strayRelease,
  wellFormed,
} from './arbitraries.ts'
import { above, CHANNEL, FLEET, join, P, PaperNode, Q, type Signed, signed } from './fleet.ts'

const RUNS = { numRuns: 3_000 }

function ordered(given: readonly Signed[], sick: readonly ReleaseId[] = []): PaperNode {
  const node = new PaperNode(undefined, sick)
  for (const release of given) node.receive(release)
  return node
}

test('law 1: what replaces has the greater place, or is by the same publisher with the same counter', () => {
  fc.assert(
    fc.property(goodRelease, goodRelease, fc.integer({ min: 1, max: 3 }), (a, b, epoch) => {
      const [x, y] = [placeOf(a.release, epoch), placeOf(b.release, epoch)]
      const samePlace =
        a.release.counter === b.release.counter && a.release.header.publisher === b.release.header.publisher
      if (replaces(a.release.header.clock, b.release.header.clock))
        expect(comparePlaces(x, y) > 0 || samePlace).toBe(true)
      expect(comparePlaces(x, y) === 0).toBe(samePlace)
      expect(Math.sign(comparePlaces(x, y)) + Math.sign(comparePlaces(y, x))).toBe(0)
      expect(comparePlaces(placeOf(a.release, epoch + 1), y)).toBeGreaterThan(0)
      expect(comparePlaces(placeBefore(epoch), x)).toBeLessThan(0)
    }),
    RUNS,
  )
})

test('law 2: join is commutative, associative and idempotent on `seen`, and order joins one release', () => {
  const seen = (state: PaperNode['state']) => seenOf(1, state.floor)
  fc.assert(
    fc.property(history, history, history, anyRelease, (one, two, three, release) => {
      const [a, b, c] = [ordered(one).state, ordered(two).state, ordered(three).state]
      expect(seen(join(a, b))).toEqual(seen(join(b, a)))
      expect(seen(join(join(a, b), c))).toEqual(seen(join(a, join(b, c))))
      expect(seen(join(a, a))).toEqual(seen(a))
      expect(seen(join(a, emptyChannel(FLEET, CHANNEL, 1)))).toEqual(seen(a))
      expect(seen(join(a, ordered([release]).state))).toEqual(ordered([...one, release]).seen())
    }),
    RUNS,
  )
})

test('law 3: one set in any two orders, duplicates included, gives one `seen`', () => {
  const twoOrders = fc
    .array(strayRelease, { minLength: 1, maxLength: 8 })
    .chain((set) => fc.tuple(arrivals(set), arrivals(set)))
  fc.assert(
    fc.property(twoOrders, ([one, two]) => {
      expect(ordered(one).seen()).toEqual(ordered(two).seen())
    }),
    RUNS,
  )
})

test('law 4: not held and all gates open, active is the target', () => {
  fc.assert(
    fc.property(history, (given) => {
      const node = ordered(given)
      if (!isHeld(node.state.floor)) expect(node.active()).toBe(targetOf(node.state.floor))
    }),
    RUNS,
  )
})

test('law 5: the top never falls, by releases, replay, failed health, crash, loss of the store or of the floor file', () => {
  const step = fc.oneof(anyRelease, fc.constantFrom('soak', 'nothing', 'store', 'floorFile'))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), fc.array(anyRelease, { maxLength: 2 }), (steps, sick) => {
      const node = new PaperNode(
        undefined,
        sick.map(({ release }) => release.id),
      )
      for (const next of steps) {
        const before = node.seen()
        if (next === 'soak') node.soak()
        else if (typeof next === 'string') node.restart(next as 'nothing')
        else node.receive(next)
        expect(above(before.top, node.seen().top)).toBe(false)
        // At the same place a hold is never forgotten, either.
        if (before.target === 'held' && comparePlaces(before.top, node.seen().top) === 0)
          expect(node.seen().target).toBe('held')
      }
    }),
    RUNS,
  )
})

test('law 6: each activation is the target at the top and above the one before, except back to last-known-good', () => {
  const step = fc.oneof(anyRelease, fc.constant('soak'))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), fc.array(anyRelease, { maxLength: 3 }), (steps, sick) => {
      const node = new PaperNode(
        undefined,
        sick.map(({ release }) => release.id),
      )
      for (const next of steps) {
        if (typeof next === 'string') node.soak()
        else node.receive(next)
      }
      let last = placeBefore(1)
      for (const { release, kind, top, target } of node.activations) {
        if (kind === 'fallback') continue
        expect(release).toBe(target)
        expect(above(top, last)).toBe(true)
        last = top
      }
    }),
    RUNS,
  )
})

test('law 7: replaying all of history in any order changes neither `seen` nor `active`', () => {
  fc.assert(
    fc.property(
      history.chain((given) =>
        fc.tuple(fc.constant(given), given.length === 0 ? fc.constant([]) : arrivals(given)),
      ),
      ([given, replay]) => {
        const node = ordered(given)
        const [seen, active] = [node.seen(), node.active()]
        for (const release of replay) node.receive(release)
        expect(node.seen()).toEqual(seen)
        expect(node.active()).toBe(active)
      },
    ),
    RUNS,
  )
})

test('law 8: held exactly if two authorised ids are known at the winning place; a twin never changes `active`', () => {
  fc.assert(
    fc.property(fc.array(strayRelease, { maxLength: 8 }), anyRelease, (strays, next) => {
      const given = [...strays, ...strays.map(({ release }) => twinOf(release))]
      const node = new PaperNode()
      for (const one of given) {
        const active = node.active()
        if (node.receive(one) === 'TWIN') expect(node.active()).toBe(active)
      }
      const counted = given.filter((one) => one.key === one.release.header.publisher && wellFormed(one))
      const atTop = counted.filter(({ release }) => comparePlaces(placeOf(release, 1), node.seen().top) === 0)
      expect(isHeld(node.state.floor)).toBe(new Set(atTop.map(({ release }) => release.id)).size >= 2)
      const wasHeld = isHeld(node.state.floor)
      const greater = wellFormed(next) && above(placeOf(next.release, 1), node.seen().top)
      node.receive(next)
      if (wasHeld && greater) expect(node.active()).toBe(next.release.id)
    }),
    RUNS,
  )
})

/** The same place and clock, other content. */
const twinOf = (release: Signed['release'], twin = 9): Signed =>
  signed({ publisher: release.header.publisher, clock: Object.fromEntries(release.header.clock), twin })

test('law 9: honest publishers never hold a channel, in any order of arrival', () => {
  // Each counts on from the greatest counter it has seen; `hears` is what it learned before it published.
  const act = fc.record({ by: publisher, hears: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(act, { minLength: 1, maxLength: 8 }).chain((acts) => {
        const all: Signed[] = []
        const memory: Record<string, Record<string, number>> = { p: {}, q: {} }
        for (const { by, hears } of acts) {
          const own = memory[by] as Record<string, number>
          if (hears)
            for (const { release } of all)
              for (const [name, counter] of release.header.clock)
                own[name] = Math.max(own[name] ?? 0, counter)
          own[by] = Math.max(0, ...Object.values(own)) + 1
          all.push(signed({ publisher: by, clock: { ...own } }))
        }
        return fc.tuple(arrivals(all), arrivals(all))
      }),
      ([one, two]) => {
        for (const order of [one, two]) {
          const node = new PaperNode()
          for (const release of order) {
            expect(node.receive(release)).not.toBe('TWIN')
            expect(isHeld(node.state.floor)).toBe(false)
          }
        }
        expect(ordered(one).active()).toBe(ordered(two).active())
      },
    ),
    RUNS,
  )
})

test('law 13: a new node that is fed what another keeps sees the same', () => {
  fc.assert(
    fc.property(
      history.chain((given) => {
        const node = ordered(given)
        return fc.tuple(fc.constant(node), shuffled(node.offers()))
      }),
      ([node, offers]) => {
        expect(ordered(offers).seen()).toEqual(node.seen())
      },
    ),
    RUNS,
  )
})

test('law 14: two ids and two heads a publisher at most, for any input', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anyRelease, strayRelease), { maxLength: 12 }), (some) => {
      // Three twins of each, as only a thief or a broken pipeline makes them.
      const given = some.flatMap((one) => [one, twinOf(one.release), twinOf(one.release, 8)])
      const { floor, heads } = ordered(given).state
      expect(floor.ids.length).toBeLessThanOrEqual(2)
      for (const by of [P, Q])
        expect(heads.filter(({ header }) => header.publisher === by).length).toBeLessThanOrEqual(2)
    }),
    RUNS,
  )
})

test('law 15: signature variants of one payload are no twins, and an invalid copy masks no valid one', () => {
  fc.assert(
    fc.property(goodRelease, fc.boolean(), (good, before) => {
      const { publisher: by, clock } = good.release.header
      const bad = signed({
        publisher: by,
        clock: Object.fromEntries(clock),
        twin: twinNumber(good),
        key: 'thief',
      })
      expect(bad.release.id).toBe(good.release.id)
      const node = new PaperNode()
      if (before) expect(node.receive(bad)).toBe('UNAUTHORISED')
      expect(node.receive(good)).toBe('NEW')
      expect(node.receive(bad)).toBe('UNAUTHORISED')
      expect(node.receive({ ...good, release: { ...good.release } })).toBe('DUPLICATE')
      expect(node.state.floor.ids).toEqual([good.release.id])
      expect(node.active()).toBe(good.release.id)
    }),
    RUNS,
  )
})

const twinNumber = ({ text }: Signed): number => Number(/t(\d)/.exec(text)?.[1])

test('law 16: a closed gate leads to no other release, and touches neither order nor floor', () => {
  const step = fc.tuple(anyRelease, fc.boolean())
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const [gated, open] = [new PaperNode(), new PaperNode()]
      for (const [release, closed] of steps) {
        const active = gated.active()
        gated.closed = closed
        expect(gated.receive(release)).toBe(open.receive(release))
        expect(gated.state.floor).toEqual(open.state.floor)
        if (closed) expect(gated.active()).toBe(active)
        for (const { release: id, target } of gated.activations) expect(id).toBe(target)
      }
      gated.closed = false
      gated.settle()
      if (!isHeld(gated.state.floor)) expect(gated.active()).toBe(open.active())
    }),
    RUNS,
  )
})

test('law 16: expiry and unknown critical names are gates, not order', () => {
  for (const more of [{ expires: 500 }, { critical: ['teleport'] }]) {
    const node = ordered([signed({ publisher: P, clock: { p: 1 } })])
    const before = node.active()
    const gated = signed({ publisher: P, clock: { p: 2 }, ...more })
    expect(node.receive(gated)).toBe('NEW')
    expect(node.seen().target).toBe(gated.release.id)
    expect(node.active()).toBe(before)
    const next = signed({ publisher: P, clock: { p: 3 } })
    node.receive(next)
    expect(node.active()).toBe(next.release.id)
  }
})

test('law 19: where the releases of each publisher form a chain, heads are the maximal clocks', () => {
  const act = fc.record({ by: publisher, hears: fc.nat({ max: 3 }) })
  const chains = fc.array(act, { minLength: 1, maxLength: 8 }).chain((acts) => {
    const all: Signed[] = []
    const clocks: Record<string, Record<string, number>> = { p: {}, q: {} }
    for (const { by, hears } of acts) {
      const own = clocks[by] as Record<string, number>
      for (const { release } of all.slice(0, hears))
        for (const [name, counter] of release.header.clock) own[name] = Math.max(own[name] ?? 0, counter)
      own[by] = Math.max(0, ...Object.values(own)) + 1
      all.push(signed({ publisher: by, clock: { ...own } }))
    }
    return fc.tuple(fc.constant(all), arrivals(all))
  })
  fc.assert(
    fc.property(chains, ([all, order]) => {
      const maximal = all.filter(
        ({ release }) => !all.some((other) => replaces(other.release.header.clock, release.header.clock)),
      )
      const expected = [...new Set(maximal.map(({ release }) => release.id))].sort()
      expect(ordered(order).state.heads.map(({ id }) => id)).toEqual(expected)
      expect(headsOf(all.map(({ release }) => release)).map(({ id }) => id)).toEqual(expected)
    }),
    RUNS,
  )
})
