/** A node whose limits are higher than those of others: what it says is for all to read. */
import { describe, expect, it } from 'vitest'
import { createSyncPeer, intoMessages, nextOffers, type SyncPeer } from '../../../src/core/sync/peer.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import { join, ToyNode } from './dialogue.ts'
import { Bench, limitsOf, peer } from './fakes.ts'

const channel = (number: number) => `team-${number % 97}/app-${number}` as Channel
const fill = (node: ToyNode, count: number, counter = 1) => {
  for (let number = 0; number < count; number += 1) node.order({ channel: channel(number), counter })
}

describe('with a node that takes more than others', () => {
  const more = limitsOf({ maxSyncMessageBytes: 256 * 1024, maxSyncRunBytes: 4 * 1024 * 1024 })

  it('says no more at once than all take, asked and asking', () => {
    const [empty, full, old] = [new ToyNode('a'), new ToyNode('b', ['**'], more), new ToyNode('c')]
    fill(full, 3_000, 2)
    for (let number = 0; number < 3_000; number += 1)
      old.order({ channel: channel(number), counter: number < 300 ? 1 : 2 })
    for (const { largest, runs } of [join(empty, full), join(full, old)]) {
      expect(largest).toBeLessThanOrEqual(LIMITS.maxSyncMessageBytes)
      expect(Math.max(...runs)).toBeLessThanOrEqual(LIMITS.maxSyncRunBytes)
    }
    expect([empty.seen(), old.seen()]).toEqual([full.seen(), full.seen()])
  })

  it.each([
    ['short ones', ['a', 'b', 'c', 'd'].map(() => 20_000), [3, 1]],
    ['one that is longer by itself, which some may take', [20_000, 100_000, 20_000], [1, 1, 1]],
  ])('offers live %s', (_, lengths, messages) => {
    const bench = new Bench({ limits: more })
    let to: SyncPeer | undefined
    bench.run((step) => {
      to = createSyncPeer(step, peer('a'), [])
    })
    if (to === undefined) throw new Error('no peer')
    for (const at of lengths.keys()) to.offers.add(String(at) as ReleaseId)
    const said: number[] = []
    while (to.offers.size > 0)
      said.push(nextOffers(to, (at) => new Uint8Array(lengths[Number(at)] ?? 0), more).length)
    expect(said).toEqual(messages)
    const parts = intoMessages(
      lengths.map((length) => new Uint8Array(length)),
      more,
    )
    expect(parts.map(({ length }) => length)).toEqual(messages)
  })

  it('a short run is all that there is, and a full one is not', () => {
    const most = { maxSyncMessageBytes: 1024 * 1024, maxSyncRunBytes: 16 * 1024 * 1024 }
    for (const [count, requests] of [
      [1, ['digests', 'entries']],
      [700, ['digests', 'entries', 'digests', 'entries']],
    ] as const) {
      const [empty, full] = [new ToyNode('a', ['**'], most), new ToyNode('b', ['**'], most)]
      fill(full, count)
      expect(join(empty, full).requests).toEqual(requests)
      expect([empty.seen(), empty.sync.comparedPeers()]).toEqual([full.seen(), 1])
    }
  })

  it('nor is one for which a channel of long envelopes was too much', () => {
    const most = { maxSyncMessageBytes: 1024 * 1024, maxSyncRunBytes: 16 * 1024 * 1024 }
    const longer = { ...most, maxEnvelopeBytes: 400 * 1024 }
    const [empty, full] = [new ToyNode('a', ['**'], longer), new ToyNode('b', ['**'], longer)]
    for (const number of [1, 2, 3])
      full.order({ channel: channel(number), counter: 1, text: 'x'.repeat(350_000) })
    join(empty, full)
    expect(empty.seen()).toEqual(full.seen())
  })

  it('gives a release that is longer than a run for all to one that takes it', () => {
    const most = { maxSyncMessageBytes: 4 * 1024 * 1024, maxSyncRunBytes: 4 * 1024 * 1024 }
    const [empty, full] = [new ToyNode('a', ['**'], most), new ToyNode('b', ['**'], most)]
    full.order({ channel: 'long/one' as Channel, counter: 1, text: 'x'.repeat(LIMITS.maxSyncRunBytes) })
    join(empty, full)
    expect(empty.seen()).toEqual(full.seen())
  })
})
