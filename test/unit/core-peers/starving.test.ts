/** When a node dials a seed, whatever that said, for a release of which its neighbours give nothing. */
import { beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { addressOf, limitsOf, peer } from './fakes.ts'
import { admit, asksPeers, bench, dials, lose, pass, peers, SEED, someone, start } from './linking.ts'

const RARE = 'rare/x' as Channel
const more = someone({ submit: true })
/** The time between two looks. */
const LOOK_MS = 12_500

/** Linked to so many that store the rare channel, and to as many as it wants besides; told by a full seed to come in an hour. */
const begin = (storers: number, change: Parameters<typeof start>[0] = {}) => {
  const patterns = ['common/**', 'rare/**'] as Pattern[]
  const limits = limitsOf({ minDegree: 2, minOutbound: 0, minCoverage: 0, outsideDegree: 0 })
  start({ seeds: [addressOf(SEED.id)], patterns, limits, ...change })
  for (let at = 0; at < storers; at += 1) admit(peer(`storer ${at}`))
  for (const name of ['a', 'b']) admit(peer(name), {}, { patterns: ['common/**' as Pattern] })
  pass(2_000)
  told()
}
const told = () => {
  bench.run((step, journey) => peers.onRefused(step, journey, SEED.id, LIMITS.linkSwapMs))
  lose(SEED.id)
}
const dialledAfterMs = (mostMs: number): number => {
  for (let ms = 250; ms <= mostMs; ms += 250) if (dials(pass(250)).length > 0) return ms
  return Number.POSITIVE_INFINITY
}

it('dials none while nothing is missing, nor where a seed is linked that stores it', () => {
  begin(0)
  expect(dialledAfterMs(60_000)).toBe(Number.POSITIVE_INFINITY)
  bench.journey.stuck.add(RARE)
  expect(dialledAfterMs(LOOK_MS)).toBeLessThanOrEqual(LOOK_MS)
  begin(0, { seeds: [SEED, more].map(({ id }) => addressOf(id)) })
  bench.journey.stuck.add(RARE)
  admit(more.id, {}, { submit: true })
  expect(dialledAfterMs(60_000)).toBe(Number.POSITIVE_INFINITY)
})

it('dials one that stores it as far as is known, be another linked that does not', () => {
  begin(1, { seeds: [SEED, more].map(({ id }) => addressOf(id)) })
  admit(SEED.id, {}, { submit: true, patterns: ['common/**' as Pattern] })
  told()
  admit(SEED.id, {}, { submit: true, patterns: ['common/**' as Pattern] })
  bench.journey.stuck.add(RARE)
  expect(dials(pass(LIMITS.redialMaxMs + LOOK_MS))).toEqual([addressOf(more.id)])
  begin(0)
  asksPeers(peer('a'), [SEED.record({ patterns: ['common/**' as Pattern] })])
  bench.journey.stuck.add(RARE)
  expect(dialledAfterMs(60_000)).toBe(Number.POSITIVE_INFINITY)
})

it('dials another, where one that is linked and was named as a seed takes nothing any more', () => {
  begin(0, { seeds: [SEED, more].map(({ id }) => addressOf(id)) })
  bench.journey.stuck.add(RARE)
  admit(more.id, {}, { submit: false })
  expect(dialledAfterMs(60_000)).toBeLessThan(60_000)
})

it('waits the longer the more of its neighbours wait beside it, each for another time', () => {
  const waits = (storers: number) => {
    let state = 0
    const times = Array.from({ length: 8 }, (_, at) => {
      state = (at + 0.5) / 8
      begin(storers, { random: () => state })
      bench.journey.stuck.add(RARE)
      return dialledAfterMs(20 * LIMITS.redialMaxMs)
    })
    return { least: Math.min(...times), most: Math.max(...times) }
  }
  expect(waits(0).most).toBeLessThanOrEqual(LOOK_MS)
  const { least, most } = waits(10)
  expect(least).toBeLessThanOrEqual(10_000 + LOOK_MS)
  expect(most).toBeGreaterThanOrEqual(90_000)
  expect(most).toBeLessThanOrEqual(100_000 + LOOK_MS)
})

describe('where that is in vain', () => {
  const again = () => {
    told()
    return dialledAfterMs(LIMITS.linkSwapMs)
  }
  beforeEach(() => {
    begin(0)
    bench.journey.stuck.add(RARE)
    expect(dialledAfterMs(LOOK_MS)).toBeLessThanOrEqual(LOOK_MS)
  })

  it('dials again ever later, also where it was let in each time and the seed had nothing', () => {
    const pauses = Array.from({ length: 6 }, () => {
      admit(SEED.id, {}, { submit: true })
      pass(10_000)
      return again()
    })
    for (const [at, ms] of pauses.entries()) expect(10_000 + ms).toBeGreaterThanOrEqual(10_000 * 2 ** at)
  })

  it('dials soon for another channel of which nothing comes', () => {
    for (let times = 0; times < 4; times += 1) again()
    told()
    bench.journey.stuck.add('rare/y' as Channel)
    expect(dialledAfterMs(LOOK_MS)).toBeLessThanOrEqual(LOOK_MS)
  })

  it('dials again ever later, and soon once something has come', () => {
    const pauses = [again(), again(), again()]
    for (const [at, ms] of pauses.entries()) {
      expect(ms).toBeGreaterThanOrEqual(10_000 * 2 ** at)
      expect(ms).toBeLessThanOrEqual(20_000 * 2 ** at + LOOK_MS)
    }
    bench.journey.stuck.clear()
    told()
    expect(dialledAfterMs(60_000)).toBe(Number.POSITIVE_INFINITY)
    bench.journey.stuck.add(RARE)
    expect(dialledAfterMs(LOOK_MS)).toBeLessThanOrEqual(LOOK_MS)
  })
})
