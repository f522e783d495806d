import { expect, test } from 'vitest'
import { forgetOldest, type GossipMemory } from '../../../src/net/gossip-memory.ts'

test('the oldest messages are forgotten, and what came in a heartbeat is no longer listed once it was refused', () => {
  const ids = ['a', 'b', 'c', 'd']
  const queue = ids.map((msgId) => ({ msgId }))
  const memory: GossipMemory = {
    mcache: {
      msgs: new Map([
        ['b', {}],
        ['d', {}],
      ]),
      history: [[{ msgIdStr: 'd' }, { msgIdStr: 'c' }], [{ msgIdStr: 'a' }]],
    },
    seenCache: { entries: new Map(ids.map((id) => [id, {}])) },
    score: { deliveryRecords: { records: new Map(ids.map((id) => [id, {}])), queue } },
  }
  forgetOldest(memory, 2)
  expect([...memory.seenCache.entries.keys()]).toEqual(['b', 'd'])
  expect([...memory.score.deliveryRecords.records.keys()]).toEqual(['c', 'd'])
  expect(queue).toEqual([{ msgId: 'c' }, { msgId: 'd' }])
  expect(memory.mcache.history).toEqual([[{ msgIdStr: 'd' }], []])
})
