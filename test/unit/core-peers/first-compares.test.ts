/**
 * Whether what a node has of a channel is known to be no older than what others have: what a seed asks before it takes a
 * release. And of which own patterns it was told what others have: what its readiness goes by.
 */
import { expect, it, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { join, later, ToyNode, talk } from './dialogue.ts'

const PAYMENTS = 'payments/prod' as Channel
const WEB = 'web/shop' as Channel

/** A node that has these. */
function having(id: string, channels: readonly Channel[], patterns?: readonly string[]): ToyNode {
  const node = new ToyNode(id, patterns)
  for (const channel of channels) node.order({ channel, counter: 1 })
  return node
}

const seedOf = (): ToyNode => having('seed', [PAYMENTS, WEB])
const knows = ({ sync }: ToyNode, ...channels: readonly Channel[]): boolean[] =>
  channels.map((channel) => sync.isCompared(channel))

/** Admits the peer, dialled from here. @returns the question that is put to it */
function dials(node: ToyNode, peer: ToyNode): Effect[] {
  peer.bench.link(node.id, { direction: 'inbound' }, { patterns: node.patterns })
  peer.bench.run((step, journey) => peer.sync.onAdmitted(step, journey, node.id))
  node.bench.link(peer.id, { direction: 'outbound' }, { patterns: peer.patterns })
  return node.bench.run((step, journey) => node.sync.onAdmitted(step, journey, peer.id))
}

test('a comparison tells of the channels that the peer stores, and of no other', () => {
  const seed = seedOf()
  join(seed, having('web', [WEB], ['web/**']))
  expect(seed.sync.comparedPeers()).toBe(1)
  expect(knows(seed, PAYMENTS, WEB)).toEqual([false, true])
  join(seed, having('payments', [PAYMENTS], ['payments/**']))
  expect(knows(seed, PAYMENTS, WEB)).toEqual([true, true])
  expect(knows(seed, 'payments/new' as Channel, 'new/one' as Channel)).toEqual([true, false])
})

it.each([
  ['that was dialled', (seed: ToyNode, newcomer: ToyNode) => join(seed, newcomer)],
  ['that dialled', (seed: ToyNode, newcomer: ToyNode) => join(newcomer, seed)],
])('one with a peer %s and came empty tells nothing, also once it has what is here', (_, meet) => {
  const [seed, newcomer] = [seedOf(), new ToyNode('newcomer')]
  meet(seed, newcomer)
  expect(newcomer.seen()).toEqual(seed.seen())
  later(seed, newcomer)
  expect(seed.sync.comparedPeers()).toBe(1)
  expect(knows(seed, PAYMENTS, WEB)).toEqual([false, false])
  join(seed, having('other', [PAYMENTS]))
  expect(knows(seed, PAYMENTS, WEB)).toEqual([true, true])
})

test('a peer that has less than is here, and not nothing, did not come empty', () => {
  const seed = seedOf()
  join(seed, having('other', [PAYMENTS]))
  expect(knows(seed, PAYMENTS, WEB)).toEqual([true, true])
})

test('a peer that has dialled is compared with in a turn, and its own comparison is not ours', () => {
  const [seed, node] = [seedOf(), having('node', [PAYMENTS])]
  join(node, seed)
  expect(knows(seed, PAYMENTS)).toEqual([false])
  later(seed, node)
  expect(knows(seed, PAYMENTS)).toEqual([true])
})

test.each([
  [1, 1],
  [2, 2],
  [4, 3],
])(
  'of %i peers that were dialled %i are waited for: one may be put back from the same backup',
  (many, enough) => {
    const seed = seedOf()
    const others = Array.from({ length: many }, (_, at) => having(`other ${at}`, [PAYMENTS]))
    const asked = others.map((other) => dials(seed, other))
    // Whoever stores it not, and whoever came empty, is none of them.
    dials(seed, having('web', [WEB], ['web/**']))
    join(seed, new ToyNode('newcomer'))
    const known = others.map((other, at) => {
      talk(seed, other, asked[at] ?? [])
      return seed.sync.isCompared(PAYMENTS)
    })
    expect(known).toEqual(others.map((_, at) => at + 1 >= enough))
  },
)

test('a peer that stores nothing of what is stored here tells nothing of it by a comparison', () => {
  const node = new ToyNode('node', ['payments/*', 'team/**'])
  const compared = () => ['payments/*', 'team/**'].map((own) => node.sync.hasCompared(own as Pattern))
  for (const at of [1, 2, 3]) join(node, having(`web ${at}`, [WEB], ['web/**', 'payments/a/b', 'payments']))
  expect([node.sync.comparedPeers(), compared()]).toEqual([0, [false, false]])
  join(node, new ToyNode('new', ['payments/prod']))
  expect([node.sync.comparedPeers(), compared()]).toEqual([1, [true, false]])
  join(node, seedOf())
  expect([node.sync.comparedPeers(), compared()]).toEqual([2, [true, true]])
})
