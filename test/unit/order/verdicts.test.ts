import { describe, expect, test } from 'vitest'
import { emptyChannel, headsOf, raiseEpoch, targetOf } from '../../../src/core/channel.ts'
import { type OrderContext, order } from '../../../src/core/order.ts'
import { activated, failed, fallbackOf, settle, soaked } from '../../../src/core/settle.ts'
import { compareClocks } from '../../../src/model/clock.ts'
import { joinFloors } from '../../../src/model/floor.ts'
import type { FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import { parseChannel } from '../../../src/model/names.ts'
import type { Release } from '../../../src/model/release.ts'
import { CHANNEL, FLEET, P, PaperNode, Q, type ReleaseSpec, signed } from '../../property/order/fleet.ts'

const make = (spec: Partial<ReleaseSpec> = {}, header: object = {}): Release => {
  const { release } = signed({ publisher: P, clock: { p: 3 }, root: 2, ...spec })
  return { ...release, header: { ...release.header, ...header } }
}
const context = (more: Partial<OrderContext> = {}): OrderContext => ({
  fleet: FLEET,
  rootVersion: 3,
  epoch: 2,
  authorised: () => true,
  ...more,
})
const empty = emptyChannel(FLEET, CHANNEL, 2)
const ordered = (...releases: Release[]) =>
  releases.reduce((state, release) => order(state, release, context()).state, empty)

describe('what is judged on the release and the root alone, in this order', () => {
  test.each<[string, Release, Partial<OrderContext>, string]>([
    ['a good one', make(), {}, 'NEW'],
    ['another version', make({}, { v: 2 }), {}, 'UNSUPPORTED'],
    ['no own entry', make({ clock: { q: 3 } }), {}, 'MALFORMED'],
    ['own entry equal to another', make({ clock: { p: 3, q: 3 } }), {}, 'MALFORMED'],
    ['own entry strictly the greatest', make({ clock: { p: 3, q: 2 } }), {}, 'NEW'],
    ['another fleet', make({}, { fleet: 'e'.repeat(64) as FleetId }), {}, 'MISPLACED'],
    ['another channel', make({}, { channel: parseChannel('a/c') }), {}, 'MISPLACED'],
    ['a root we lack', make({ root: 4 }), {}, 'AHEAD'],
    ['the newest root', make({ root: 3 }), {}, 'NEW'],
    ['a root before the epoch', make({ root: 1 }), {}, 'STALE_EPOCH'],
    ['the root of the epoch', make({ root: 2 }), {}, 'NEW'],
    ['not signed by enough', make(), { authorised: () => false }, 'UNAUTHORISED'],
    ['malformed before misplaced', make({ clock: { q: 1 } }, { fleet: 'x' }), {}, 'MALFORMED'],
    ['misplaced before ahead', make({ root: 9 }, { fleet: 'x' }), {}, 'MISPLACED'],
    ['ahead before unauthorised', make({ root: 9 }), { authorised: () => false }, 'AHEAD'],
    ['stale epoch before unauthorised', make({ root: 1 }), { authorised: () => false }, 'STALE_EPOCH'],
  ])('%s', (_, release, more, verdict) => {
    const result = order(empty, release, context(more))
    expect(result.verdict).toBe(verdict)
    if (verdict !== 'NEW') expect(result.state).toBe(empty)
  })
})

describe('what depends on the channel', () => {
  const one = make()
  const twin = make({ twin: 1 })
  const third = make({ twin: 2 })
  const next = make({ clock: { p: 4 } })

  test('NEW: the greater place wins', () => {
    expect(order(ordered(one), next, context()).state.floor).toEqual({
      fleet: FLEET,
      channel: CHANNEL,
      top: { epoch: 2, counter: 4, publisher: P },
      ids: [next.id],
    })
  })

  test('at equal counters the greater name wins, whatever came first', () => {
    const other = make({ publisher: Q, clock: { q: 3 } })
    expect(targetOf(ordered(one, other).floor)).toBe(other.id)
    expect(targetOf(ordered(other, one).floor)).toBe(other.id)
  })

  test('a greater epoch wins over any counter', () => {
    const greatest = make({ clock: { p: Number.MAX_SAFE_INTEGER } })
    const state = raiseEpoch(ordered(greatest), 3)
    expect(state.floor).toMatchObject({ top: { epoch: 3, counter: 0, publisher: '' }, ids: [] })
    expect(state.heads).toEqual([])
    const fresh = make({ clock: { p: 1 }, root: 3 })
    expect(order(state, fresh, context({ epoch: 3 })).verdict).toBe('NEW')
    // Raised again to what it has: nothing changes.
    expect(raiseEpoch(state, 3)).toBe(state)
  })

  test('DUPLICATE: the same id again, by any path', () => {
    expect(order(ordered(one), one, context()).verdict).toBe('DUPLICATE')
    const state = ordered(one, make({ publisher: Q, clock: { q: 5 } }))
    expect(order(state, one, context()).verdict).toBe('DUPLICATE')
  })

  test('DUPLICATE of an id whose envelope was lost joins the heads again', () => {
    const lost = { ...ordered(one), heads: [] }
    const { verdict, state } = order(lost, one, context())
    expect(verdict).toBe('DUPLICATE')
    expect(state.heads).toEqual([one])
    expect(state.floor).toEqual(lost.floor)
  })

  test('TWIN: two in one place hold the channel; a third changes nothing', () => {
    const held = ordered(one, twin)
    expect(held.floor.ids).toEqual([one.id, twin.id].sort())
    expect(targetOf(held.floor)).toBeUndefined()
    expect(order(ordered(one), twin, context()).verdict).toBe('TWIN')
    expect(order(held, third, context())).toEqual({ verdict: 'TWIN_KNOWN', state: held })
    expect(targetOf(order(held, next, context()).state.floor)).toBe(next.id)
  })

  test('a twin whose clock contains the other is a twin all the same', () => {
    const wider = make({ clock: { p: 3, q: 2 } })
    expect(order(ordered(one), wider, context()).verdict).toBe('TWIN')
    expect(order(ordered(wider), one, context()).verdict).toBe('TWIN')
  })

  test('CONCURRENT: below the top, but nothing known replaces it', () => {
    const other = make({ publisher: Q, clock: { q: 2 } })
    const { verdict, state } = order(ordered(one), other, context())
    expect(verdict).toBe('CONCURRENT')
    expect(state.floor).toEqual(ordered(one).floor)
    expect(state.heads.map(({ id }) => id)).toEqual([one.id, other.id].sort())
  })

  test('STALE: below the top and replaced, or below what its publisher has shown', () => {
    expect(order(ordered(next), one, context()).verdict).toBe('STALE')
    const knows = make({ publisher: Q, clock: { q: 5, p: 3 } })
    expect(order(ordered(knows), one, context()).verdict).toBe('STALE')
  })
})

describe('heads', () => {
  test('per publisher the two first named of its greatest counter, less those replaced', () => {
    const [a, b, c] = [make(), make({ twin: 1 }), make({ twin: 2 })]
    expect(headsOf([a, b, c]).map(({ id }) => id)).toEqual([a.id, b.id].sort())
    const older = make({ clock: { p: 2 } })
    expect(headsOf([older, a])).toEqual([a])
    expect(headsOf([a, older])).toEqual([a])
    const over = make({ publisher: Q, clock: { q: 9, p: 3 } })
    expect(headsOf([a, over])).toEqual([over])
  })

  test('clocks', () => {
    const clock = (entries: Record<string, number>) => new Map(Object.entries(entries) as [Name, number][])
    expect(compareClocks(clock({ p: 1 }), clock({ p: 1 }))).toBe('equal')
    expect(compareClocks(clock({ p: 2 }), clock({ p: 1 }))).toBe('after')
    expect(compareClocks(clock({ p: 1 }), clock({ p: 1, q: 1 }))).toBe('before')
    expect(compareClocks(clock({ p: 2 }), clock({ p: 1, q: 1 }))).toBe('concurrent')
  })
})

test('floors join to the greater top, and at equal tops to both ids', () => {
  const [one, two, next] = [
    ordered(make()).floor,
    ordered(make({ twin: 1 })).floor,
    ordered(make({ clock: { p: 4 } })).floor,
  ]
  expect(joinFloors(one, next)).toEqual(next)
  expect(joinFloors(next, one)).toEqual(next)
  expect(joinFloors(one, two).ids).toEqual([...one.ids, ...two.ids].sort())
  expect(joinFloors(one, one)).toEqual(one)
})

describe('activation', () => {
  const at = (release: ReleaseId, isSoaked = false) => ({
    release,
    epoch: 2,
    activatedAt: 1,
    soaked: isSoaked,
  })
  const [one, two, three] = [make(), make({ clock: { p: 4 } }), make({ clock: { p: 5 } })]

  test('a closed gate keeps what is active, an open one leads to the target only', () => {
    const state = ordered(one)
    expect(settle(state, 'content')).toBeUndefined()
    expect(settle(state, null)).toBe(one.id)
    expect(settle(activated(state, at(one.id), 10), null)).toBeUndefined()
  })

  test('only what has soaked becomes last-known-good', () => {
    const hasty = activated(activated(ordered(one), at(one.id), 10), at(two.id), 10)
    expect(hasty.lastGood).toBeUndefined()
    const calm = activated(soaked(activated(ordered(one), at(one.id), 10)), at(two.id), 10)
    expect(calm.lastGood).toBe(one.id)
    // A second hasty one does not overwrite it.
    expect(activated(calm, at(three.id), 10).lastGood).toBe(one.id)
  })

  test('going back: last-known-good, of the current epoch, not itself failed', () => {
    const state = soaked(activated(ordered(one), at(one.id), 10))
    expect(fallbackOf(state, two.id, 2)).toBe(one.id)
    expect(fallbackOf(state, two.id, 3)).toBeUndefined()
    expect(fallbackOf(failed(state, one.id, 10), two.id, 2)).toBeUndefined()
    expect(fallbackOf(state, one.id, 2)).toBeUndefined()
  })

  test('a release that failed here is not tried again, and the floor stays', () => {
    const good = signed({ publisher: P, clock: { p: 1 } })
    const bad = signed({ publisher: P, clock: { p: 2 } })
    const node = new PaperNode(undefined, [bad.release.id])
    node.receive(good)
    node.soak()
    node.receive(bad)
    expect(node.active()).toBe(good.release.id)
    expect(node.seen().target).toBe(bad.release.id)
    node.receive(bad)
    expect(node.activations.filter(({ release }) => release === bad.release.id).length).toBe(1)
  })
})
