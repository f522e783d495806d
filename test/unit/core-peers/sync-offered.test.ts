/** What is remembered of what a peer was offered: where the two differ, and nothing of what both have by now. */
import { expect, test } from 'vitest'
import { channelHash } from '../../../src/codec/digest.ts'
import { ChannelHashes } from '../../../src/core/channel-hashes.ts'
import { answerDigests, answerEntries } from '../../../src/core/sync/answer.ts'
import { SyncIndex } from '../../../src/core/sync/channel-index.ts'
import { BUCKETS, bucketOf, entriesOf } from '../../../src/core/sync/digests.ts'
import { createSyncPeer, type SyncPeer } from '../../../src/core/sync/peer.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { ToyNode } from './dialogue.ts'

const CHANNELS = 300
const channel = (number: number) => `app/c-${number}` as Channel
const fill = (node: ToyNode, from: number, to: number) => {
  for (let number = from; number < to; number += 1) node.order({ channel: channel(number), counter: 1 })
}

/** What `seed` keeps of `node`, and a comparison of all buckets that `node` begins. */
function compared(seed: ToyNode, node: ToyNode) {
  const indexOf = ({ bench }: ToyNode) => new SyncIndex(new ChannelHashes(), bench.config)
  let kept: SyncPeer | undefined
  return (): SyncPeer['offered'] => {
    const view = indexOf(node).view(node.bench.journey, node.patterns, 0)
    seed.bench.run((step, journey) => {
      kept ??= createSyncPeer(step, node.id, node.patterns)
      const { salt } = kept
      const digests = { type: 'digests', salt, root: 1, beacons: [], ...view.digests(salt) } as const
      answerDigests(step, journey, kept, 1, digests, indexOf(seed), [])
      const subBuckets = Array.from({ length: BUCKETS }, (_, at) => at)
      const entries = entriesOf(salt, [...view.rows()])
      answerEntries(step, journey, kept, 2, { type: 'entries', subBuckets, subs: 1, entries }, indexOf(seed))
    })
    return kept?.offered ?? new Map()
  }
}

test('of a peer that came empty nothing is left once both have the same, and what differs is until then', () => {
  const [seed, node] = [new ToyNode('seed'), new ToyNode('node')]
  fill(seed, 0, CHANNELS)
  const compare = compared(seed, node)
  expect(compare().size).toBe(CHANNELS)
  fill(node, 1, CHANNELS)
  const left = [...compare().keys()]
  expect(new Set(left.map(bucketOf))).toEqual(new Set([bucketOf(channelHash(channel(0)))]))
  expect(left.length).toBeLessThan(CHANNELS / 10)
  fill(node, 0, 1)
  expect(compare().size).toBe(0)
})
