/** A channel without a floor, on a node that has floors of others: what comes first may be long replaced. */
import { expect, test } from 'vitest'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { key } from '../trust/fixtures.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, floorOf, gossip, make, ROOT, record, rootBytes } from './fleet.ts'
import { NO_BEACONS } from './no-beacons.ts'

const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
const old = make({ clock: { alice: 1 } })
const made = make({ clock: { alice: 2 }, text: 'b=1\n' })
const fresh = make({ clock: { alice: 2 }, header: { channel: 'app/fresh' as Channel } })

/** It has stored one channel, and starts with these. */
function started(patterns: readonly string[], seeded = seeds): BenchNode {
  const node = new BenchNode({ seeds: seeded, patterns: patterns as readonly Pattern[] })
  node.start({
    floors: [floorOf(made), floorOf(made)],
    channels: [
      record([made.id], { active: { release: old.id, epoch: 1, activatedAt: 5, soaked: true } }),
    ] as never,
    envelopes: [old, made].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
    whole: [old.id],
  })
  return node
}

const begunBy = (effects: ReturnType<BenchNode['handle']>) =>
  ofKind(effects, 'activate').map(({ release }) => release)
function comes(node: BenchNode, { page, block, ...of }: typeof made) {
  const durable = node.persist(node.run(gossip(of, [page, block])))
  return begunBy([...durable, ...node.persist(durable)])
}

test.each([
  ['instead of what it had', ['app/fresh']],
  ['beside what it has', [CHANNEL, 'app/fresh']],
  ['by a pattern of what it has, too', ['app/**']],
])('taken in %s it shows nothing before it was compared with others', (_, patterns) => {
  const node = started(patterns)
  expect(comes(node, fresh)).toEqual([])
  node.compared = 1
  expect(begunBy(node.handle({ kind: 'tick' }))).toEqual([fresh.id])
})

test.each([
  ['a first peer told of it just before a stop', []],
  [
    'the channel has come back, and what was shown before it left is overtaken',
    [{ release: old.id, activatedAt: 5 }],
  ],
])('a floor of which nothing is shown is no proof that it is the newest: %s', (_, history) => {
  const node = new BenchNode({ seeds, patterns: [CHANNEL] as readonly string[] as readonly Pattern[] })
  node.start({
    floors: [floorOf(old), floorOf(old)],
    channels: [record([old.id], { history })] as never,
    envelopes: [{ release: old.id, channel: CHANNEL, bytes: old.envelope }],
    whole: [old.id],
  })
  expect(comes(node, made)).toEqual([])
  node.compared = 1
  expect(begunBy(node.handle({ kind: 'tick' }))).toEqual([made.id])
})

test('it waits ten seconds at most, and says that nobody was there to ask', () => {
  const node = started([CHANNEL, 'app/fresh'])
  expect(comes(node, fresh)).toEqual([])
  node.monoMs = 9_999
  expect(begunBy(node.handle({ kind: 'tick' }))).toEqual([])
  node.monoMs = 10_000
  const waited = node.handle({ kind: 'tick' })
  expect(begunBy(waited)).toEqual([fresh.id])
  expect(ofKind(waited, 'note')).toMatchObject([{ code: 'SYNC_SILENT' }])
})

test('it says so where peers were compared with, and no beacon came in all that time', () => {
  const beacon = key().public
  const keys = new Map([...ROOT.keys, [beacon.id, beacon] as const].sort(([a], [b]) => (a < b ? -1 : 1)))
  const configured = rootBytes({ ...ROOT, keys, freshness: { ...ROOT.freshness, keys: [beacon.id] } })
  for (const heardAny of [false, true]) {
    const node = new BenchNode(
      { root: configured },
      { freshness: { ...NO_BEACONS, heardAny: () => heardAny } },
    )
    node.reached = true
    node.start({ floorLost: true, roots: [{ version: 1, envelope: configured }] })
    node.monoMs = 10_000
    const said = ofKind(node.handle({ kind: 'tick' }), 'note').map(({ text }) => text)
    expect(said).toEqual(heardAny ? [] : [expect.stringMatching(/^no beacon came before/)])
  }
})

test('nothing waits for it, and nothing is said where all that is stored had a floor', () => {
  const node = started([CHANNEL, 'app/fresh'])
  node.handle({
    kind: 'activated',
    channel: CHANNEL,
    release: old.id,
    outcome: { kind: 'healthy', changed: 0 },
  })
  expect(comes(node, made)).toEqual([made.id])
  node.monoMs = 10_000
  expect(ofKind(node.handle({ kind: 'tick' }), 'note')).toEqual([])
  expect(comes(node, fresh)).toEqual([fresh.id])
})

test('a node that knows nobody to ask shows it at once', () => {
  expect(comes(started([CHANNEL, 'app/fresh'], []), fresh)).toEqual([fresh.id])
})
