/** Channels whose names were chosen so that they share one sub-bucket, which is longer than a message by itself. */
import { expect, it } from 'vitest'
import { channelHash } from '../../../src/codec/digest.ts'
import { bucketOf } from '../../../src/core/sync/digests.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { join, later, ToyNode } from './dialogue.ts'

/** Of each 292 entries fit, or three envelopes; so few channels make one sub-bucket a bucket. */
const limits = { maxSyncMessageBytes: 5_000 }
const crowd = Array.from({ length: 300 * 64 * 2 }, (_, number) => `team/app-${number}` as Channel)
  .map((channel) => ({ channel, hash: channelHash(channel) }))
  .filter(({ hash }) => bucketOf(hash) === 5)
  .slice(0, 300)
  .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  .map(({ channel }) => channel)
const [first = '' as Channel, second = '' as Channel] = crowd
const [last = '' as Channel, lastButOne = '' as Channel] = crowd.toReversed()

it('a comparison goes on and ends, and after one of each both have all', () => {
  const [a, b] = [new ToyNode('a', ['**'], limits), new ToyNode('b', ['**'], limits)]
  for (const node of [a, b]) for (const channel of crowd) node.order({ channel, counter: 1 })
  for (const channel of [first, last, 'other/a' as Channel]) a.order({ channel, counter: 2 })
  for (const channel of [second, lastButOne, 'other/b' as Channel]) b.order({ channel, counter: 2 })
  const said = join(a, b)
  expect(said.requests.slice(0, 2)).toEqual(['digests', 'entries'])
  expect(said.requests.at(-1)).toBe('push')
  expect(said.largest).toBeLessThanOrEqual(limits.maxSyncMessageBytes)
  // all but what b was not told of, which it asks for itself
  const lacking = () => a.seen().filter((channel) => !b.seen().includes(channel))
  expect(lacking()).toEqual([`${last} 2 ${lacking()[0]?.split(' ')[2]}`])
  later(b, a)
  expect(a.seen()).toEqual(b.seen())
  expect(a.seen()).toHaveLength(302)
  expect(later(a, b).requests).toEqual(['digests'])
})
