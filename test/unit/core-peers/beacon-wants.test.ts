import { expect, test } from 'vitest'
import { BeaconWants } from '../../../src/core/freshness/beacon-wants.ts'
import { LIMITS } from '../../../src/limits.ts'
import { Bench, hex, peer } from './fakes.ts'

test('a page that does not come in time is given twice as long by whoever is asked next, up to what a block may take', () => {
  const bench = new Bench({ self: peer('self') })
  for (let at = 0; at < 3; at += 1) bench.link(peer(`n${at}`), {}, { submit: at === 2 })
  const wants = new BeaconWants()
  bench.run((step) => wants.want(step, new Set([hex('a')])))
  const given: number[] = []
  for (let ms = 0; ms < 60_000; ms += 500) {
    bench.pass(500)
    for (const effect of bench.run((step, journey) => wants.pump(step, journey)))
      if (effect.kind === 'request') {
        given.push(effect.timeoutMs)
        wants.take(effect.id, undefined)
      }
  }
  const { blockSilenceMs, blockDeadlineMs } = LIMITS
  expect(given.slice(0, 4)).toEqual([1, 2, 4, 8].map((times) => times * blockSilenceMs))
  expect(given.at(-1)).toBe(blockDeadlineMs)
})
