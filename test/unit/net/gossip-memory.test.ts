import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import { Gate } from '../../../src/net/gate.ts'
import { gossipOptions } from '../../../src/net/gossip.ts'
import { forgetOldest, type GossipMemory, tellLater, tellOnceJudged } from '../../../src/net/gossip-memory.ts'
import { Pace } from '../../../src/net/pace.ts'
import { startedGossip } from './started-gossip.ts'

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
      getGossipIDs: () => new Map(),
      validate: () => null,
    },
    seenCache: { entries: new Map(ids.map((id) => [id, {}])) },
    msgIdToStrFn: String,
    idontwants: new Map([
      ['gone', new Map()],
      ['here', new Map([['a', 1]])],
    ]),
    score: { deliveryRecords: { records: new Map(ids.map((id) => [id, {}])), queue } },
  }
  forgetOldest(memory, 2)
  expect([...memory.seenCache.entries.keys()]).toEqual(['b', 'd'])
  expect([...memory.idontwants.keys()]).toEqual(['here'])
  expect([...memory.score.deliveryRecords.records.keys()]).toEqual(['c', 'd'])
  expect(queue).toEqual([{ msgId: 'c' }, { msgId: 'd' }])
  expect(memory.mcache.history).toEqual([[{ msgIdStr: 'd' }], []])
})

/** gossipsub's own cache of messages, as its heartbeats use it. */
interface Cache {
  readonly history: unknown[]
  put(
    id: { readonly msgIdStr: string; readonly msgId: string },
    message: { readonly topic: string },
    valid?: true,
  ): void
  validate(id: string): void
  shift(): void
  getGossipIDs(topics: Set<string>): ReadonlyMap<string, readonly string[]>
}

const NEWS = { msgIdStr: 'news', msgId: 'news' }
const TOPIC = { topic: 'releases' }

function seedsCache(): Cache & GossipMemory['mcache'] {
  const options = gossipOptions({
    ...{ fleetId: 'f1ee7'.padEnd(64, '0') as FleetId, region: 'default', seed: true },
    ...{ gate: new Gate(), pace: new Pace(LIMITS), limits: LIMITS },
  })
  const log = Object.assign(() => {}, { error() {}, trace() {} })
  const pubsub = gossipsub(options)({ logger: { forComponent: () => log } } as never)
  return (pubsub as unknown as { readonly mcache: Cache & GossipMemory['mcache'] }).mcache
}

/** A heartbeat. @returns what it told of */
function beat(mcache: Cache): readonly string[] {
  const ids = mcache.getGossipIDs(new Set(['releases'])).get('releases') ?? []
  mcache.shift()
  return ids
}

test('a seed tells of a message in one heartbeat, which is not the first after it came', () => {
  const mcache = seedsCache()
  tellLater({ mcache })
  const remembered = mcache.history.length
  mcache.put(NEWS, TOPIC, true)
  expect([1, 2, 3].map(() => beat(mcache))).toEqual([[], ['news'], []])
  expect(mcache.history).toHaveLength(remembered)
})

test('a seed tells once of what is judged late, too', () => {
  const mcache = seedsCache()
  tellOnceJudged({ mcache })
  tellLater({ mcache })
  mcache.put(NEWS, TOPIC)
  expect(beat(mcache)).toEqual([])
  mcache.validate('news')
  expect([1, 2, 3].map(() => beat(mcache))).toEqual([[], ['news'], []])
})

test('what is judged after the heartbeat in which it came is told of in the next, and once', () => {
  onTestFinished(() => void vi.useRealTimers())
  const { mcache } = startedGossip<{ mcache: Cache }>()
  mcache.put(NEWS, TOPIC)
  expect(beat(mcache)).toEqual([])
  mcache.validate('news')
  expect([1, 2].map(() => beat(mcache))).toEqual([['news'], []])
  mcache.put({ msgIdStr: 'more', msgId: 'more' }, TOPIC)
  mcache.validate('more')
  expect([1, 2].map(() => beat(mcache))).toEqual([['more'], []])
})
