/** When a block is asked for again: at its moment, whatever ticks come before it. */
import { expect, test } from 'vitest'
import { Alarms } from '../../../src/core/fetch/alarms.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF } from './fetcher.ts'

test('the first moment that is still ahead, in whole milliseconds', () => {
  const alarms = new Alarms()
  expect(alarms.next(0)).toBe(Number.POSITIVE_INFINITY)
  for (const moment of [30, 10.2, 20]) alarms.set(moment)
  expect([0, 10.9, 11, 20, 30].map((monoMs) => alarms.next(monoMs))).toEqual([
    11,
    11,
    20,
    30,
    Number.POSITIVE_INFINITY,
  ])
})

test('who was busy is asked again when it said, though something else was due before', () => {
  const node = fetcher({ gateways: [OTHER] })
  const [page] = node.announce(OTHER, [0])
  node.answer(page?.id ?? 0, { type: 'busy', retryAfterMs: 40 })
  const waitMs = node.wakeMs()
  expect(waitMs).toBeLessThanOrEqual(40)
  expect(node.tick(waitMs - 1)).toEqual([])
  expect(node.wakeMs()).toBe(1)
  expect(node.tick(1)).toMatchObject([{ to: OTHER, digest: page?.digest }])
})

test('and so is the seed, about what it sent this node elsewhere for', () => {
  const node = fetcher({ gateways: [SELF], draw: 0.2 })
  const [page] = node.started
  node.answer(page?.id ?? 0, { type: 'redirect', peer: peer('holder'), addresses: [] })
  // By the draw; turns of others begin at other times.
  node.tick(0.85 * LIMITS.blockSilenceMs - 10)
  expect(node.wakeMs()).toBe(10)
  expect(node.tick(10)).toMatchObject([{ to: SEED, digest: page?.digest }])
})
