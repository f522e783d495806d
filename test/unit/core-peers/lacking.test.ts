/** What a beacon named stays named until it is here: neither a page on its way nor silence is an all-clear. */
import { beforeEach, expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import {
  beaconOf,
  CHANNEL,
  EVERY_MS,
  entryAt,
  factsAt,
  KEYS,
  Listener,
  MAX_AGE_MS,
  rootWith,
} from './beacons.ts'

const [KEY, OTHER] = KEYS
const BUSY = 'shop/busy' as Channel

let node: Listener
beforeEach(() => {
  node = new Listener(rootWith([KEY]))
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start()
})

const said = (effects: readonly Effect[]) =>
  effects.flatMap((effect) =>
    effect.kind === 'note' ? [`${effect.code}${effect.channel === undefined ? '' : ' of a channel'}`] : [],
  )

/** A beacon that names the second release, on a page on which another channel is at `counter`. */
const named = (counter: number, second = true) =>
  beaconOf(
    KEY,
    node.bench.now.wallMs,
    [...(second ? [entryAt(2)] : []), entryAt(counter, BUSY)].sort((a, b) =>
      a.channel < b.channel ? -1 : 1,
    ),
  )

const untilBehind = () => {
  node.hear(named(1))
  expect(said(node.pass(LIMITS.beaconGraceMs + 10_000))).toEqual(['SYNC_BEHIND of a channel'])
  expect(node.state()).toBe('behind')
}

it('a channel is behind after the grace though its page changes with every beacon, for another’s sake', () => {
  const states = [1, 2, 3, 4, 5].map((counter) => {
    node.hear(named(counter))
    const before = node.state()
    node.pass(EVERY_MS)
    const late = [...node.freshness.late(node.bench.now)]
    return [before, node.state(), late]
  })
  expect(states[0]?.[2]).toEqual([])
  expect(states.slice(2)).toEqual(Array.from({ length: 3 }, () => ['behind', 'behind', [CHANNEL]]))
})

it('once its page is here and names it no longer, it is behind no longer; nor where a new root names other keys', () => {
  untilBehind()
  node.hear(named(2, false))
  expect(node.state()).toBe('behind')
  expect(said(node.pass(EVERY_MS))).toEqual(['CHANNEL_FRESH of a channel'])
  node.hear(named(3))
  node.pass(LIMITS.beaconGraceMs + 10_000)
  expect(node.state()).toBe('behind')
  node.adopt(rootWith([OTHER], 2))
  expect(node.state()).toBe('unjudged')
})

it('a node that is cut off takes nothing back of what it said, then or once it is linked again', () => {
  untilBehind()
  expect(said(node.pass(2 * MAX_AGE_MS))).toEqual(['SYNC_SILENT'])
  node.hear(named(2))
  // of the node: it is not cut off any more
  expect(said(node.pass(EVERY_MS))).toEqual(['CHANNEL_FRESH'])
  expect(node.state()).toBe('behind')
  node.bench.journey.facts.set(CHANNEL, factsAt(2))
  expect(said(node.pass(EVERY_MS))).toEqual(['CHANNEL_FRESH of a channel'])
  expect(node.state()).toBe('fresh')
})

it('what came in silence was not named for ever: the next has its grace again', () => {
  untilBehind()
  node.pass(2 * MAX_AGE_MS)
  node.bench.journey.facts.set(CHANNEL, factsAt(2))
  node.lacks()
  const third = beaconOf(KEY, node.bench.now.wallMs, [entryAt(3)])
  node.hear(third)
  expect(said(node.pass(EVERY_MS))).toEqual(['CHANNEL_FRESH'])
  expect(node.state()).toBe('fresh')
})

it('nor does silence take back that a newer root was named', () => {
  const later = () => node.hear(beaconOf(KEY, node.bench.now.wallMs, [entryAt(1)], { root: 2 }))
  later()
  expect(said(node.pass(LIMITS.beaconGraceMs + 10_000))).toEqual(['SYNC_BEHIND'])
  expect(said(node.pass(MAX_AGE_MS))).toEqual(['SYNC_SILENT'])
  node.lacks()
  later()
  expect(said(node.pass(EVERY_MS))).toEqual(['SYNC_BEHIND'])
})
