/** Very many releases under way at once: an event looks at some of them, so that none stalls the event loop. */
import { expect, test, vi } from 'vitest'
import { Chooser } from '../../../src/core/fetch/chooser.ts'
import { Ranking } from '../../../src/core/fetch/ranking.ts'
import type { Channel, PeerId } from '../../../src/model/ids.ts'
import { BenchNode } from '../core/bench-node.ts'
import { floorOf, make, record } from '../core/fleet.ts'

const COUNT = 400
/** Jobs of one event, and some. */
const MOST = 150

test('each of them is looked at in its turn, and no event looks at all', () => {
  const looks = vi.spyOn(Ranking.prototype, 'candidates')
  const rankings = vi.spyOn(Chooser.prototype, 'ranking')
  const all = Array.from({ length: COUNT }, (_, at) => {
    const channel = `app/c-${at}` as Channel
    return { channel, made: make({ clock: { alice: 1 }, text: `${at}`, header: { channel } }) }
  })
  const node = new BenchNode()
  node.start({
    floors: all.map(({ channel, made }) => ({ ...floorOf(made), channel })),
    channels: all.map(({ channel, made }) => ({ ...record([made.id]), channel })) as never,
    envelopes: all.map(({ channel, made }) => ({ release: made.id, channel, bytes: made.envelope })),
  })
  expect(looks.mock.calls.length).toBeLessThanOrEqual(COUNT + MOST)
  node.peer('12D3KooWn' as PeerId)
  const seen = new Set<Channel>()
  for (let ms = 25; ms <= 200; ms += 25) {
    looks.mockClear()
    rankings.mockClear()
    node.monoMs = ms
    const effects = node.run({ kind: 'tick' })
    expect(looks.mock.calls.length).toBeLessThanOrEqual(MOST)
    // of hundreds of peers, each costs as much as all these looks
    expect(rankings.mock.calls.length).toBeLessThanOrEqual(1)
    for (const [{ channel }] of looks.mock.calls) seen.add(channel)
    const wakes = effects.flatMap((effect) => (effect.kind === 'wake' ? [effect.atMonoMs] : []))
    expect(Math.min(...wakes)).toBeLessThanOrEqual(ms + 25)
  }
  expect(seen.size).toBe(COUNT)
  looks.mockRestore()
  rankings.mockRestore()
})
