/**
 * Whether what a node has of a channel is known to be no older than what others have: what a seed asks before it takes a
 * release. And of which own patterns it was told what others have: what its readiness goes by.
 */
import { describe, expect, it, test } from 'vitest'
import { channelHash } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { NEW_SALTS, REOFFER_MS, VAIN_BURST } from '../../../src/core/sync/peer.ts'
import { OLD_TO_ONE } from '../../../src/core/sync.ts'
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
  expect([node.sync.comparedPeers(), compared(), node.sync.hasReached()]).toEqual([0, [false, false], false])
  join(node, having('payments', [PAYMENTS], ['payments/prod']))
  expect([node.sync.comparedPeers(), compared()]).toEqual([1, [true, false]])
  join(node, seedOf())
  expect([node.sync.comparedPeers(), compared()]).toEqual([2, [true, true]])
})

test('one that came empty tells by a comparison of no pattern that there is nothing, unless it is a seed', () => {
  const node = new ToyNode('node', ['payments/*'])
  const compared = () => node.sync.hasCompared('payments/*' as Pattern)
  join(node, new ToyNode('newcomer'))
  // Where nobody else is reached it is all there is to go by.
  expect([node.sync.comparedPeers(), compared()]).toEqual([1, false])
  const seed = new ToyNode('seed')
  seed.submit = true
  join(node, seed)
  expect([node.sync.comparedPeers(), compared()]).toEqual([2, true])
})

/** Runs of about thirty envelopes. */
const SHORT_RUNS = { maxSyncMessageBytes: 4_096, maxSyncRunBytes: 65_536, syncBurst: 1_000 }
const ALL = Array.from({ length: 150 }, (_, at) => `app/${at}` as Channel).sort((a, b) =>
  channelHash(a) < channelHash(b) ? -1 : 1,
)

/** All peers say what they say at the same time. @param each after every message that came to the node */
function atOnce(node: ToyNode, peers: readonly ToyNode[], each: () => void): void {
  const queue = peers.flatMap((peer) => dials(node, peer).map((effect) => ({ effect, by: node })))
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { effect, by } = next
    if (effect.kind === 'request') {
      const { id, request } = effect
      const to = peers.find((peer) => peer.id === effect.peer) as ToyNode
      const said = to.bench.run((step, journey) => {
        to.sync.onRequest(step, journey, { kind: 'request', id, peer: node.id, request })
      })
      queue.push(...said.map((made) => ({ effect: made, by: to })))
    } else if (effect.kind === 'reply' && by !== node) {
      const more = node.bench.run((step, journey) => {
        node.sync.onReply(step, journey, effect.id, effect.reply)
      })
      each()
      queue.push(...more.map((made) => ({ effect: made, by: node })))
    }
  }
}

test('of peers of which each has more than one run takes none counts before its last run: the first may lag in that', () => {
  const node = new ToyNode('node', ['**'], SHORT_RUNS)
  const last = ALL.at(-1) as Channel
  const peers = ['first', 'second', 'third'].map((id) => new ToyNode(id, ['**'], SHORT_RUNS))
  for (const peer of peers)
    for (const channel of ALL)
      peer.order({ channel, counter: channel === last && peer.id !== 'first' ? 9 : 7 })
  const early: number[] = []
  let reached = false
  atOnce(node, peers, () => {
    const { facts } = node.bench.journey
    if (node.sync.comparedPeers() > 0 && facts.size < ALL.length) early.push(facts.size)
    reached ||= node.sync.hasReached() && facts.size < ALL.length
    if (node.sync.comparedPeers() === 3) expect(facts.get(last)?.floor.top.counter).toBe(9)
  })
  expect([early, reached]).toEqual([[], true])
  expect(node.sync.comparedPeers()).toBe(3)
  expect(knows(node, last)).toEqual([true])
})

/** So much that is known that the peer is not listened to for a moment. */
function handsOverJunk(node: ToyNode, peer: ToyNode): void {
  const envelopes = Array.from({ length: OLD_TO_ONE * VAIN_BURST + 1 }, () => new Uint8Array())
  const request = { protocol: 'sync', message: { type: 'push', envelopes } } as const
  const { onIngest } = node.bench.journey
  node.bench.journey.onIngest = () => ({ verdict: 'STALE', provable: false, relayable: false })
  node.bench.run((step, journey) =>
    node.sync.onRequest(step, journey, { kind: 'request', id: 1, peer: peer.id, request }),
  )
  node.bench.journey.onIngest = onIngest
}

describe('a run that is not looked at, since its peer has handed over too much that comes to nothing', () => {
  /** @returns what is asked of a peer that was not listened to when it gave its first run */
  function deaf(channels: readonly Channel[]) {
    const node = new ToyNode('node', ['**'], SHORT_RUNS)
    const peer = new ToyNode('peer', ['**'], SHORT_RUNS)
    for (const channel of channels) peer.order({ channel, counter: 1 })
    const begun = dials(node, peer)
    handsOverJunk(node, peer)
    node.order({ channel: 'own/web' as Channel, counter: 1 })
    const { requests } = talk(node, peer, begun)
    expect(node.seen()).toHaveLength(1)
    return { node, peer, requests }
  }

  test.each([6_000, REOFFER_MS])('counts once it has come again, after %i ms', (ms) => {
    const { node, peer } = deaf([PAYMENTS, WEB])
    expect(node.sync.comparedPeers()).toBe(0)
    later(node, peer, ms)
    expect([node.seen(), node.sync.comparedPeers()]).toEqual([peer.seen(), 1])
  })

  test('comes again at once a few times only: for good it is paused for ever longer', () => {
    const { node, peer } = deaf([PAYMENTS, WEB])
    const salts = new Set<string>()
    let offered = 0
    for (let at = 0; at < 20; at += 1) {
      for (const each of [node, peer]) each.bench.pass(6_000)
      handsOverJunk(node, peer)
      const effects = node.bench.run((step, journey) => node.sync.onTick(step, journey))
      for (const effect of effects)
        if (effect.kind === 'request' && 'salt' in effect.request.message)
          salts.add(effect.request.message.salt.join())
      offered += talk(node, peer, effects).envelopes
    }
    // The first salt was that of the run before. With the last, both channels come after 10, 20 and 40 s again. One comes from here.
    expect([node.seen().length, salts.size]).toEqual([1, NEW_SALTS])
    expect(offered).toBe(2 * (NEW_SALTS + 3) + 1)
  })

  test('is not asked for again at once, however long it was: nor would the next be looked at', () => {
    expect(deaf(ALL).requests.filter((type) => type === 'digests')).toHaveLength(1)
  })
})

test('a run that came to nothing on its way comes again in the next comparison, and only then its peer counts', () => {
  const [node, peer] = [new ToyNode('node'), seedOf()]
  const [digests] = dials(node, peer)
  const answered = (effect: Effect | undefined) =>
    effect?.kind !== 'request'
      ? []
      : peer.bench.run((step, journey) => {
          const { id, request } = effect
          peer.sync.onRequest(step, journey, { kind: 'request', id, peer: node.id, request })
        })
  const [differ] = answered(digests)
  const [entries] = node.bench.run((step, journey) => {
    if (differ?.kind === 'reply') node.sync.onReply(step, journey, differ.id, differ.reply)
  })
  const run = answered(entries)
  expect(run).toMatchObject([{ reply: { message: { envelopes: [{}, {}] } } }])
  const again = node.bench.run((step, journey) => {
    if (entries?.kind === 'request') node.sync.onRequestFailed(step, journey, entries.id, 'NET_TIMEOUT', true)
  })
  expect([node.seen(), node.sync.comparedPeers()]).toEqual([[], 0])
  talk(node, peer, again)
  expect([node.seen(), node.sync.comparedPeers()]).toEqual([peer.seen(), 1])
})
