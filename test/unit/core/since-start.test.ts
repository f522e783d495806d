/** What a node says of its own life alone, and not of what was before. */
import { expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { activated, BenchNode, comes, ofKind } from './bench-node.ts'
import { CHANNEL, given, type Made, make, PEER, WALL_MS } from './fleet.ts'
import { NO_BEACONS } from './no-beacons.ts'

test('a beacon is heard once one has come since the start, in the moment of it, too', () => {
  let heardBeacon = false
  const freshness = { ...NO_BEACONS, lastHeard: () => ({ beaconMonoMs: 5_000, heardBeacon }) }
  const node = new BenchNode({}, { freshness })
  node.monoMs = 5_000
  node.start()
  node.monoMs = 9_000
  expect(node.view()).toMatchObject({ beaconMonoMs: 5_000, heardBeacon: false })
  heardBeacon = true
  expect(node.view()).toMatchObject({ beaconMonoMs: 5_000, heardBeacon: true })
})

class Observed extends BenchNode {
  readonly delays: [metric: string, ms: number][] = []

  override handle(event: Event): readonly Effect[] {
    const effects = super.handle(event)
    for (const { metric, ms } of ofKind(effects, 'observe'))
      if (metric.startsWith('publish_to_')) this.delays.push([metric, ms])
    return effects
  }
}

/** A release that a comparison with a peer brings; it is fetched. */
function syncs(node: BenchNode, made: Made): void {
  const source = { via: 'sync', peer: PEER } as const
  const came = node.inside((step, journey) => journey.ingest(step, made.envelope, source))
  const [page] = ofKind(node.persist(came), 'request')
  const asked = node.run(given(page?.id, made.page))
  node.persist(asked)
  const [block] = ofKind(asked, 'request')
  // The block, then that all is here.
  node.persist(node.persist(node.run(given(block?.id, made.block))))
}

const DAY_MS = 24 * 3_600_000

test.each([
  ['a day before the start', 'sync', syncs, WALL_MS - DAY_MS, undefined],
  ['a second before the start', 'gossip', comes, WALL_MS - 1_000, undefined],
  ['since the start', 'sync', syncs, WALL_MS + 30_000, 30_000],
  ['since the start', 'gossip', comes, WALL_MS + 30_000, 30_000],
  ['by a clock that is ahead', 'gossip', comes, WALL_MS + 90_000, 0],
])('a release made %s that %s brings: how long it took', (_, _way, bring, created, ms) => {
  const node = new Observed()
  node.monoMs = 7_000
  node.start()
  node.peer(PEER, { submit: true })
  node.monoMs += 60_000
  node.wallMs += 60_000
  const made = make({ clock: { alice: 1 }, header: { created } })
  bring(node, made)
  node.persist(node.run(activated(made, 'healthy')))
  expect(node.channelView(CHANNEL)).toMatchObject({ active: { id: made.id } })
  const metrics = ['publish_to_ordered', 'publish_to_whole', 'publish_to_active']
  expect(node.delays).toEqual(ms === undefined ? [] : metrics.map((metric) => [metric, ms]))
})

test('time in which the host slept is no time that a node ran', () => {
  const node = new Observed()
  node.start()
  node.monoMs += 60_000
  node.wallMs += 60_000 + DAY_MS
  comes(node, make({ clock: { alice: 1 }, header: { created: node.wallMs - 60_001 } }))
  expect(node.delays).toEqual([])
  comes(node, make({ clock: { alice: 2 }, header: { created: node.wallMs - 60_000 } }))
  expect(node.delays).toContainEqual(['publish_to_ordered', 60_000])
})

test('a clock that is set while a node runs makes no release older than its life', () => {
  const node = new Observed()
  node.wallMs = WALL_MS - 365 * DAY_MS
  node.start()
  node.monoMs += 60_000
  node.wallMs = WALL_MS
  comes(node, make({ clock: { alice: 1 }, header: { created: WALL_MS - DAY_MS } }))
  comes(node, make({ clock: { alice: 2 }, header: { created: WALL_MS - 1_000 } }))
  expect(node.delays.every(([, ms]) => ms === 1_000)).toBe(true)
  expect(node.delays).toHaveLength(2)
})
