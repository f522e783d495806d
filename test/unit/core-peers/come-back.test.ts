import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { addressOf, limitsOf, peer } from './fakes.ts'
import { admit, bench, dials, fail, lose, pass, peers, SEED, someone, start } from './linking.ts'

describe('a peer that says when to come back', () => {
  const told = (retryAfterMs: number) => {
    bench.run((step, journey) => peers.onRefused(step, journey, SEED.id, retryAfterMs))
    return lose(SEED.id)
  }
  const dialledAfterMs = (): number => {
    for (let ms = 250; ms <= 120_000; ms += 250) if (dials(pass(250)).length > 0) return ms
    return Number.POSITIVE_INFINITY
  }

  it.each([
    [3_000, 3_000, 3_000 * 1.25],
    // Its own bound holds while links are missing, whatever is said.
    [600_000, LIMITS.redialMaxMs * 0.75, LIMITS.redialMaxMs],
  ])('%i ms is dialled then, with jitter', (retryAfterMs, least, most) => {
    start()
    told(retryAfterMs)
    const ms = dialledAfterMs()
    expect(ms).toBeGreaterThanOrEqual(least)
    // A look is up to 1.25 s after it is due.
    expect(ms).toBeLessThanOrEqual(most + 1_500)
  })

  it('has not failed: the pause does not grow', () => {
    start()
    for (let times = 0; times < 8; times += 1) {
      told(500)
      expect(dialledAfterMs()).toBeLessThan(2_500)
    }
  })

  describe('a full seed', () => {
    const more = someone({ submit: true })
    const begin = (submit: boolean) => {
      start({
        seeds: [SEED, more].map(({ id }) => addressOf(id)),
        limits: limitsOf({ minDegree: 2, outsideDegree: 0 }),
        submit,
      })
      fail(addressOf(more.id))
      admit(SEED.id, {}, { submit: true })
      for (const name of ['a', 'b']) admit(peer(name))
      pass(2_000)
    }

    it('is left to others for an hour, and so is every other: somebody would have to go there', () => {
      begin(false)
      told(LIMITS.linkSwapMs)
      bench.pass(LIMITS.linkSwapMs * 0.7)
      expect(dials(pass(60_000))).toEqual([])
      bench.pass(LIMITS.linkSwapMs * 0.3)
      expect(dials(pass(13_000))).toHaveLength(1)
    })

    it('and every other is dialled within 10 s once links are missing', () => {
      begin(false)
      told(LIMITS.linkSwapMs)
      expect(dials(pass(60_000))).toEqual([])
      lose(peer('a'))
      expect(dials(pass(LIMITS.redialMaxMs + 1_500)).sort()).toEqual(
        [SEED, more].map(({ id }) => addressOf(id)).sort(),
      )
    })

    it('keeps no seed from another, nor a turn anybody from the next', () => {
      begin(true)
      told(LIMITS.linkSwapMs)
      expect(dials(pass(20_000))).toEqual([addressOf(more.id)])
      begin(false)
      told(LIMITS.redialMaxMs)
      expect(dials(pass(5_000))).toEqual([addressOf(more.id)])
    })
  })
})
