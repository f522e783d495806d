import { expect, test } from 'vitest'
import { BeaconWants } from '../../../src/core/freshness/beacon-wants.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern, PeerId } from '../../../src/model/ids.ts'
import { Bench, hex, peer } from './fakes.ts'

test('a page that does not come in time is given twice as long by whoever is asked next, up to what a block may take', () => {
  const bench = new Bench({ self: peer('self') })
  for (let at = 0; at < 3; at += 1) bench.link(peer(`n${at}`), {}, { submit: at === 2 })
  const wants = new BeaconWants()
  bench.run((step) => wants.want(step, [{ digest: hex('a'), channel: undefined }]))
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

const CHANNEL = 'shop/prices' as Channel

/** Whom it asks, in the order, until the first pause; nobody has the page. */
function asked(neighbours: readonly Pattern[], seeds = 0): PeerId[] {
  const bench = new Bench({ self: peer('self') })
  neighbours.forEach((pattern, at) => {
    bench.link(peer(`n${at}`), {}, { patterns: [pattern] })
  })
  for (let at = 0; at < seeds; at += 1) bench.link(peer(`seed${at}`), {}, { submit: true })
  const wants = new BeaconWants()
  bench.run((step) => wants.want(step, [{ digest: hex('a'), channel: CHANNEL }]))
  bench.pass(2_000)
  const all: PeerId[] = []
  for (let turn = 0; turn < 30; turn += 1)
    for (const effect of bench.run((step, journey) => wants.pump(step, journey)))
      if (effect.kind === 'request') {
        all.push(effect.peer)
        wants.take(effect.id, { protocol: 'blocks', message: { type: 'gone' } })
      }
  return all
}

const OTHERS = Array.from({ length: 20 }, () => 'ads/**' as Pattern)

test('without a seed those that store a channel of that page are asked first, then some of the others', () => {
  const to = asked([...OTHERS, 'shop/*' as Pattern, 'shop/**' as Pattern])
  expect(new Set(to.slice(0, 2))).toEqual(new Set([peer('n20'), peer('n21')]))
  expect(to).toHaveLength(8)
  expect(new Set(to).size).toBe(8)
})

test('where a seed is linked two neighbours are asked, of these first who stores a channel of that page, and then the seed', () => {
  const to = asked([...OTHERS, 'shop/*' as Pattern], 1)
  expect(to).toHaveLength(3)
  expect([to[0], to[2]]).toEqual([peer('n20'), peer('seed0')])
})
