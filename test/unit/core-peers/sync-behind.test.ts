/** Five hundred of ten thousand channels are stale on one side: it catches up as soon whoever dialled. */
import { describe, expect, it } from 'vitest'
import type { BeaconBook } from '../../../src/core/sync/peer.ts'
import type { Channel } from '../../../src/model/ids.ts'
import type { ShortDigest, SyncRequest } from '../../../src/model/messages.ts'
import { envelopeOf, join, NO_BEACONS, type Talk, ToyNode, threeBeacons } from './dialogue.ts'
import { asked, requestOf } from './fakes.ts'

const CHANNELS = 10_000
const NOW = 1_790_000_000_000
const BEFORE = NOW - 3_600_000
const channel = (number: number) => `team-${number % 97}/app-${number}` as Channel

interface Two {
  readonly stale: ToyNode
  readonly fresh: ToyNode
}

function two(count: number, ofStale: BeaconBook, ofFresh: BeaconBook): Two {
  const stale = new ToyNode('a', ['**'], {}, ofStale)
  const fresh = new ToyNode('b', ['**'], {}, ofFresh)
  for (const node of [stale, fresh])
    for (let number = 0; number < CHANNELS; number += 1) node.order({ channel: channel(number), counter: 1 })
  for (let at = 0; at < count; at += 1)
    fresh.order({ channel: channel(at * Math.floor(CHANNELS / count)), counter: 2 })
  return { stale, fresh }
}

const ask = (node: ToyNode, from: ToyNode, message: SyncRequest) =>
  asked(
    node.bench.run((step, journey) =>
      node.sync.onRequest(step, journey, requestOf(900, from.id, { protocol: 'sync', message })),
    ),
  )

const often = (said: Talk, type: string): number => said.requests.filter((one) => one === type).length

describe('500 of 10,000 channels are found', () => {
  it('by a stale dialler in three round trips where it lacks beacons, too', () => {
    const { stale, fresh } = two(500, threeBeacons(BEFORE), threeBeacons(NOW))
    const said = join(stale, fresh)
    expect(stale.seen()).toEqual(fresh.seen())
    expect([said.requests, said.trips]).toEqual([['digests', 'beacons', 'entries'], 3])
    expect(said.digestBytes).toBe(65_087)
    expect(said.beaconBytes).toBe(3 * 2_479)
  })

  it('by a stale listener at once where beacons show that it is behind: half a round trip later', () => {
    const { stale, fresh } = two(500, threeBeacons(BEFORE), threeBeacons(NOW))
    const said = join(fresh, stale)
    expect(stale.seen()).toEqual(fresh.seen())
    expect(said.trips).toBe(3.5)
    expect([often(said, 'digests'), often(said, 'push')]).toEqual([2, 0])
  })

  it('by any other stale listener once the first of many pushes has come: the rest is not pushed', () => {
    const { stale, fresh } = two(500, NO_BEACONS, NO_BEACONS)
    const said = join(fresh, stale)
    expect(stale.seen()).toEqual(fresh.seen())
    expect(said.requests).toEqual(['digests', 'entries', 'push', 'digests', 'entries'])
    expect(said.trips).toBe(4.5)
  })
})

describe('nobody compares twice', () => {
  // Forty envelopes fill a message.
  it.each([1, 40])('where %i channels are stale, whoever dialled', (count) => {
    for (const beacons of [NO_BEACONS, threeBeacons(BEFORE)]) {
      const [one, other] = [two(count, beacons, beacons), two(count, beacons, beacons)]
      for (const said of [join(one.stale, one.fresh), join(other.fresh, other.stale)])
        expect(often(said, 'digests')).toBe(1)
      for (const { stale, fresh } of [one, other]) expect(stale.seen()).toEqual(fresh.seen())
    }
  })

  it('where each lacks as much as half a message holds', () => {
    const { stale, fresh } = two(20, NO_BEACONS, NO_BEACONS)
    for (let number = 1; number <= 20; number += 1) stale.order({ channel: channel(number), counter: 3 })
    expect(often(join(fresh, stale), 'digests')).toBe(1)
    expect(stale.seen()).toEqual(fresh.seen())
  })

  it('where the one that lacks beacons lacks little else', () => {
    const { stale, fresh } = two(20, threeBeacons(BEFORE), threeBeacons(NOW))
    expect(join(fresh, stale).requests).toEqual(['digests', 'entries', 'push'])
  })

  it('where so much that is new is pushed later, once the one that lacked it has compared', () => {
    const { stale, fresh } = two(500, NO_BEACONS, NO_BEACONS)
    expect(often(join(fresh, stale), 'digests')).toBe(2)
    const envelopes = Array.from({ length: 40 }, (_, at) => envelopeOf({ channel: channel(at), counter: 3 }))
    expect(ask(stale, fresh, { type: 'push', envelopes })).toEqual([])
    expect(stale.seen()).not.toEqual(fresh.seen())
  })

  it('where the one that lacks no beacons is asked', () => {
    const { stale, fresh } = two(500, threeBeacons(BEFORE), threeBeacons(NOW))
    expect(often(join(stale, fresh), 'digests')).toBe(1)
  })
})

describe('a hostile peer has a node begin a comparison', () => {
  it('once on a connection, though it names beacons that nobody has each time', () => {
    const [node, hostile] = [new ToyNode('a', ['**'], {}, threeBeacons(BEFORE)), new ToyNode('b')]
    node.order({ channel: channel(1), counter: 1 })
    join(hostile, node)
    const message = {
      type: 'digests',
      salt: new Uint8Array(16),
      root: 1,
      beacons: threeBeacons(NOW).marks(),
      digest: '1'.repeat(16) as ShortDigest,
      buckets: Array.from({ length: 64 }, () => '1'.repeat(16) as ShortDigest),
    } as const
    expect(ask(node, hostile, message)).toEqual([])
  })

  it('by long pushes only where they bring something', () => {
    const { stale, fresh } = two(500, NO_BEACONS, NO_BEACONS)
    stale.bench.journey.onIngest = () => ({ verdict: 'STALE', provable: false, relayable: false })
    expect(often(join(fresh, stale), 'digests')).toBe(1)
  })
})
