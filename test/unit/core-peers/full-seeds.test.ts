/** Full seeds, to a node with peers enough of which too few store some channel: of one that few store nobody finds more. */
import { beforeEach, describe, expect, it } from 'vitest'
import { FullSeeds } from '../../../src/core/peers/full-seeds.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { addressOf, limitsOf, peer } from './fakes.ts'
import { admit, bench, dials, lose, pass, peers, SEED, someone, start } from './linking.ts'

const common = { patterns: ['common/**' as Pattern] }
const all = { patterns: ['common/**', 'few/**'] as Pattern[] }
/** A look is up to 1.25 s after it is due. */
const LOOK_MS = 1_500

const begin = (seeds = [SEED]) => {
  const limits = limitsOf({ minDegree: 2, minOutbound: 0, outsideDegree: 0 })
  start({ ...all, seeds: seeds.map(({ id }) => addressOf(id)), limits })
  for (const name of ['a', 'b']) admit(peer(name), {}, common)
  pass(2_000)
}
const told = (retryAfterMs: number = LIMITS.linkSwapMs) => {
  bench.run((step, journey) => peers.onRefused(step, journey, SEED.id, retryAfterMs))
  lose(SEED.id)
}
/** Until a seed is dialled, at most for so long. */
const dialledAfterMs = (mostMs: number): number => {
  for (let ms = 250; ms <= mostMs; ms += 250) if (dials(pass(250)).length > 0) return ms
  return Number.POSITIVE_INFINITY
}
const inVain = (times: number) => {
  for (let left = times; left > 0; left -= 1) {
    told()
    expect(dialledAfterMs(LIMITS.linkSwapMs)).toBeLessThan(LIMITS.linkSwapMs)
  }
}

beforeEach(() => begin())

it('are dialled again after ten seconds, and after twice as long each time', () => {
  for (const mostMs of [10_000, 20_000, 40_000, 80_000]) {
    told()
    const ms = dialledAfterMs(2 * mostMs)
    expect(ms).toBeGreaterThanOrEqual(mostMs)
    expect(ms).toBeLessThanOrEqual(mostMs * 1.25 + LOOK_MS)
  }
})

it('nor is another one meanwhile, where somebody would have to go, too', () => {
  begin([SEED, someone({ submit: true })])
  inVain(3)
  told()
  expect(dialledAfterMs(80_000 - LOOK_MS)).toBe(Number.POSITIVE_INFINITY)
})

it('an hour later at most, and a turn that a seed gives is taken as it is', () => {
  const seeds = new FullSeeds(LIMITS)
  seeds.look(
    true,
    { own: LIMITS.minDegree, outside: 0, outbound: 0, soleIdentity: undefined, uncovered: all.patterns },
    false,
  )
  for (let times = 0; times < 2_000; times += 1) seeds.refused(LIMITS.linkSwapMs)
  expect(seeds.refused(LIMITS.linkSwapMs)).toBe(LIMITS.linkSwapMs)
  inVain(3)
  told(3_000)
  expect(dialledAfterMs(10_000)).toBeLessThanOrEqual(3_000 * 1.25 + LOOK_MS)
})

describe('are dialled within ten seconds all the same', () => {
  beforeEach(() => {
    inVain(4)
    told()
  })

  it('once peers are missing, too', () => {
    admit(peer('far'), {}, { ...common, region: 'us' })
    expect(dialledAfterMs(20_000)).toBe(Number.POSITIVE_INFINITY)
    lose(peer('a'))
    expect(dialledAfterMs(20_000)).toBeLessThanOrEqual(LIMITS.redialMaxMs + LOOK_MS)
  })

  it('once who stored the channel meanwhile is gone', () => {
    for (const name of ['c', 'd']) admit(peer(name), {}, all)
    pass(2_000)
    lose(peer('c'))
    expect(dialledAfterMs(20_000)).toBeLessThanOrEqual(LIMITS.redialMaxMs + LOOK_MS)
  })
})

it('are dialled ever later, too, by whom they let in and let go, though meanwhile it lacked nobody', () => {
  admit(peer('c'), {}, all)
  const pauses = [1, 2, 3, 4].map(() => {
    admit(SEED.id, {}, { submit: true })
    pass(LIMITS.seedRoomMs)
    told()
    return dialledAfterMs(LIMITS.linkSwapMs)
  })
  expect(pauses[0]).toBeLessThanOrEqual(2 * LIMITS.redialMaxMs + LOOK_MS)
  expect(pauses[3]).toBeGreaterThanOrEqual(8 * LIMITS.redialMaxMs)
})

it('are not all dialled by a node that has lost one of its peers: for each somebody else would have to go', () => {
  const seeds = [SEED, someone({ submit: true }), someone({ submit: true })]
  const limits = limitsOf({ minDegree: 4, minOutbound: 2, outsideDegree: 0 })
  const dialledWith = (names: readonly string[]) => {
    start({ seeds: seeds.map(({ id }) => addressOf(id)), limits })
    // They have all turned it away for long.
    for (const { id } of seeds) {
      admit(id, {}, { submit: true })
      lose(id)
    }
    for (const name of names) admit(peer(name))
    return dials(pass(LIMITS.redialMaxMs - 1_000))
  }
  expect(dialledWith(['a', 'b'])).toHaveLength(3)
  expect(dialledWith(['a', 'b', 'c'])).toHaveLength(1)
})
