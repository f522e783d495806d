/** Floors outlive their subscription: what was stored before `channels` was changed must not keep out what is stored now. */
import { expect, test } from 'vitest'
import { formerlyActive } from '../../../src/core/restore.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { floorOf, gossip, make, record } from './fleet.ts'

/** A node that stored so many channels before its subscription was changed. */
function nodeAfter(former: number, limits: Partial<Limits>): BenchNode {
  const node = new BenchNode({ patterns: ['app/now/*'] as Pattern[], limits: { ...LIMITS, ...limits } })
  const floor = floorOf(make({ clock: { alice: 1 } }))
  const channels = Array.from({ length: former }, (_, at) => `app/then/${at}` as Channel)
  node.start({ floors: channels.map((channel) => ({ ...floor, channel })) })
  return node
}

/** What the operator hears of a release for it. */
const full = (node: BenchNode, channel: string, counter = 1): string[] => {
  const effects = node.handle(
    gossip(make({ clock: { alice: counter }, header: { channel: channel as Channel } })),
  )
  return ofKind(effects, 'note').flatMap(({ code, text }) => (code === 'LIMIT_CHANNELS' ? [text] : []))
}
const stored = (node: BenchNode): string[] => node.view().channels.map(({ channel }) => channel)

test('they take no room of channels that have a subscription', () => {
  const node = nodeAfter(9, { maxChannels: 2 })
  expect([...full(node, 'app/now/a'), ...full(node, 'app/now/b')]).toEqual([])
  expect(full(node, 'app/now/c')).toEqual([
    '2 channels are stored here, the most allowed; this one is not (limits.maxChannels)',
  ])
  // The next release of one that is stored takes no further room, nor does one of a former channel give any.
  expect([...full(node, 'app/now/a', 2), ...full(node, 'app/then/0', 2)]).toEqual([])
  expect(full(node, 'app/now/c', 2)).toHaveLength(1)
  expect(stored(node)).toEqual(['app/now/a', 'app/now/b'])
})

test('they have a bound of their own, and the operator hears which', () => {
  const node = nodeAfter(3, { maxChannels: 2, maxFormerChannels: 3 })
  expect(full(node, 'app/now/a')).toEqual([
    '3 channels that were stored here keep their floors, the most allowed; this one is not stored (limits.maxFormerChannels)',
  ])
  expect(stored(node)).toEqual([])
  const room = nodeAfter(2, { maxChannels: 2, maxFormerChannels: 3 })
  expect(full(room, 'app/now/a')).toEqual([])
  expect(stored(room)).toEqual(['app/now/a'])
})

test('those that match again all stay, and the operator hears at start where they are more than may come in', () => {
  const started = (maxChannels: number) => {
    const limits = { ...LIMITS, maxChannels }
    const node = new BenchNode({ patterns: ['app/**'] as Pattern[], limits })
    const floor = floorOf(make({ clock: { alice: 1 } }))
    const channels = ['app/a/1', 'app/b/1', 'app/b/2'] as Channel[]
    const effects = node.start({ floors: channels.map((channel) => ({ ...floor, channel })) })
    expect(stored(node)).toEqual(channels)
    return ofKind(effects, 'note').flatMap(({ code, text }) => (code === 'LIMIT_CHANNELS' ? [text] : []))
  }
  expect(started(3)).toEqual([])
  expect(started(2)).toEqual([
    '3 channels that were stored here match again, more than may come in (limits.maxChannels: 2); all stay',
  ])
})

test('what was active and is not stored any longer is asked of the files, and told of once, where they show it', () => {
  const made = make({ clock: { alice: 1 } })
  const channels = ['app/now/a', 'app/then/a', 'app/then/b', 'app/then/c'] as Channel[]
  const active = { release: made.id, epoch: 1, activatedAt: 5, soaked: true }
  const records = channels.map((channel, at) => ({
    ...record([], at === 3 ? {} : { active }),
    channel,
  })) as never
  const patterns = ['app/now/*'] as Pattern[]
  const asked = formerlyActive({ ...EMPTY_SNAPSHOT, channels: records }, patterns)
  expect(asked).toEqual(['app/then/a', 'app/then/b'])
  const told = (shown: readonly Channel[]) => {
    const started = new BenchNode({ patterns }).start(
      { channels: records },
      new Map(shown.map((channel) => [channel, made.id])),
    )
    return ofKind(started, 'note').filter(({ code }) => code === 'ACTIVATE_LEFTOVER')
  }
  expect(told(channels.slice(0, 3))).toMatchObject([
    {
      level: 'warn',
      channel: 'app/then/a',
      text: expect.stringMatching(/^2 channels .* first app\/then\/a: /),
    },
  ])
  // In doubt, a stored one is asked, too.
  expect(told(channels.slice(0, 1))).toEqual([])
})
