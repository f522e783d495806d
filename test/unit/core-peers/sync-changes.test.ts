/** What makes sync look again, or ask whom it would not have asked. */
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { createSyncPeer, offerLive, REOFFER_MS } from '../../../src/core/sync/peer.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { idOf, join, later, ToyNode } from './dialogue.ts'
import { asked, Bench, hungUp, peer, requestOf } from './fakes.ts'

const channel = 'app/web' as Channel
const FORGED = () => ({ verdict: 'UNAUTHORISED', provable: false, relayable: false }) as const

describe('what was not taken is offered again at once', () => {
  /** Twice so much is less than what it would be offered again after all the same. */
  const SOON_MS = REOFFER_MS / 2 - 1
  /** `b` has what `a` does not take. */
  const refusing = () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    b.order({ channel, counter: 2 })
    a.bench.journey.onIngest = FORGED
    expect([join(a, b).envelopes, later(a, b, SOON_MS).envelopes]).toEqual([1, 0])
    return { a, b }
  }

  it('under another root', () => {
    const { a, b } = refusing()
    for (const { bench } of [a, b]) bench.journey.current = { ...bench.journey.current, version: 2 }
    expect(later(a, b, SOON_MS).envelopes).toBe(1)
  })

  it('to one that has something of the channel by now', () => {
    const { a, b } = refusing()
    a.order({ channel, counter: 1 })
    // That is given in return.
    expect(later(a, b, SOON_MS).envelopes).toBe(2)
  })
})

it.each([
  ['a new root', (node: ToyNode) => node.sync.onRoot()],
  ['a write that failed', (node: ToyNode) => node.sync.onPersistFailed()],
])('%s may have changed any channel: all are looked at before the next comparison', (_, happens) => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  for (const node of [a, b]) node.order({ channel, counter: 1 })
  join(a, b)
  b.orderSilently({ channel, counter: 2 })
  expect(later(a, b).envelopes).toBe(0)
  happens(b)
  expect(later(a, b).envelopes).toBe(1)
})

it('only so much waits to be offered to a peer, and nothing that it has', () => {
  const bench = new Bench()
  const node = new ToyNode('b')
  const facts = Array.from({ length: 4 }, (_, at) => {
    const toy = { channel: `app/${at}` as Channel, counter: 1 }
    node.order(toy)
    return { ...toy, heads: [], floor: { ids: [idOf(toy)] } } as never
  })
  bench.run((step) => {
    const to = createSyncPeer(step, node.id, [])
    to.knows.add(idOf({ channel: 'app/0' as Channel, counter: 1 }))
    for (const each of facts) offerLive(to, each, { ...bench.config.limits, maxOffers: 2 })
    expect([...to.offers]).toEqual([1, 2].map((at) => idOf({ channel: `app/${at}` as Channel, counter: 1 })))
  })
})

it.each([
  ['are asked that have been silent for long', 3, ['p1', 'p2']],
  ['are asked four, the longest silent first', 6, ['p1', 'p2', 'p3', 'p4']],
])('where one connection has died unseen, of the others %s', (_, count, silent) => {
  const node = new ToyNode('a')
  const { bench, sync } = node
  const admit = (name: string, direction: 'inbound' | 'outbound' = 'inbound') => {
    bench.link(peer(name), { direction })
    return bench.run((step, journey) => sync.onAdmitted(step, journey, peer(name)))
  }
  for (let at = 0; at < count; at += 1) {
    admit(`p${at}`)
    bench.pass(1)
  }
  bench.pass(10_000)
  admit('new')
  // It says something, be it for another stage.
  const message = { type: 'want', digest: '' as never } as const
  bench.run((step, journey) =>
    sync.onRequest(step, journey, requestOf(1, peer('p0'), { protocol: 'blocks', message })),
  )
  const fail = (effects: readonly Effect[]) =>
    bench.run((step, journey) => {
      sync.onRequestFailed(step, journey, asked(effects)[0]?.id ?? 0, 'NET_TIMEOUT', false)
    })
  const end = fail(fail(admit('dead', 'outbound')))
  expect(hungUp(end)).toEqual([peer('dead')])
  expect(asked(end).map(({ peer: to, request }) => [to, request.message.type])).toEqual(
    silent.map((name) => [peer(name), 'digests']),
  )
})
