/** What has only just been published, and came by sync: gossip may bring it to the neighbours, with its content. */
import { expect, test } from 'vitest'
import { Onward } from '../../../src/core/onward.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { Bench } from './fakes.ts'

const CHANNEL = 'app/web' as Channel

/** One that is published so long ago, by the publisher's clock, comes and is written: offered on at once? */
function brought(bench: Bench, onward: Onward, agedMs: number, via: 'sync' | 'gossip' = 'sync'): boolean {
  const release = { header: { channel: CHANNEL, created: bench.now.wallMs - agedMs } }
  let atOnce = false
  bench.run((step) => {
    onward.onOrdered(step, { release, stored: true, source: { via } } as never)
    atOnce = onward.onDurable(step, CHANNEL)
  })
  return atOnce
}

function due(bench: Bench, onward: Onward): readonly Channel[] {
  let channels: readonly Channel[] = []
  bench.run((step) => {
    channels = onward.due(step)
  })
  return channels
}

test('is offered on a moment later, and once', () => {
  const [bench, onward] = [new Bench(), new Onward()]
  expect(brought(bench, onward, 5_000)).toBe(false)
  expect(bench.wakeMonoMs).toBe(bench.now.monoMs + 750)
  bench.pass(749)
  expect(due(bench, onward)).toEqual([])
  bench.pass(1)
  expect([due(bench, onward), due(bench, onward)]).toEqual([[CHANNEL], []])
})

test('is offered on at once where it is long ago, by whatever clock', () => {
  const [bench, onward] = [new Bench(), new Onward()]
  expect([10_000, 9_999, -9_999, -10_000].map((agedMs) => brought(bench, onward, agedMs))).toEqual([
    ...[true, false, false, true],
  ])
})

test('what gossip brought is passed on by gossip', () => {
  const [bench, onward] = [new Bench(), new Onward()]
  expect([0, 60_000].map((agedMs) => brought(bench, onward, agedMs, 'gossip'))).toEqual([false, false])
  expect(due(bench, onward)).toEqual([])
})

test('on a host whose timers are late it waits longer', () => {
  const [bench, onward] = [new Bench(), new Onward()]
  brought(bench, onward, 0)
  bench.pass(750 + 100)
  expect(due(bench, onward)).toEqual([CHANNEL])
  brought(bench, onward, 0)
  bench.pass(750 + 399)
  expect(due(bench, onward)).toEqual([])
  bench.pass(1)
  expect(due(bench, onward)).toEqual([CHANNEL])
})
