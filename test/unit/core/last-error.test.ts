/** The last error of a channel says what is so now: it ends with its cause. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { Freshness } from '../../../src/model/beacon.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { successor } from '../../../src/trust/successor.ts'
import { activated, BenchNode, comes, fetching, ofKind } from './bench-node.ts'
import {
  CHANNEL,
  floorOf,
  given,
  gossip,
  inNewerFormat,
  make,
  PEER,
  ROOT,
  record,
  rootBytes,
} from './fleet.ts'
import { NO_BEACONS } from './no-beacons.ts'

const TICK: Event = { kind: 'tick' }
const good = make({ clock: { alice: 1 } })
const bad = make({ clock: { alice: 2 }, text: 'b=1\n' })
const later = (node: BenchNode, ms: number): readonly Effect[] => {
  node.monoMs += ms
  return node.run(TICK)
}
const errorOf = (node: BenchNode) => node.view().channels[0]?.lastError?.code

/** The first is active. */
function running(stages: ConstructorParameters<typeof BenchNode>[1] = {}): BenchNode {
  const node = new BenchNode({}, stages)
  node.start()
  node.peer(PEER, { submit: true })
  comes(node, good)
  node.persist(node.run(activated(good, 'healthy')))
  node.persist(later(node, 30_000))
  return node
}

it('a damaged block that could not be had is no error any more once it has come', () => {
  const node = running()
  node.run({ kind: 'blockLost', digest: sha256(good.block) })
  later(node, 10_000)
  const [asked] = ofKind(
    node.run({ kind: 'blockRead', digest: sha256(good.page), bytes: good.page }),
    'request',
  )
  later(node, 30_000)
  expect(errorOf(node)).toBe('FETCH_UNAVAILABLE')
  node.persist(node.persist(node.run(given(asked?.id, good.block))))
  expect(node.view().channels[0]).toMatchObject({ state: 'active', lastError: undefined })
})

it('what else keeps it back is said instead', () => {
  const { node, block } = fetching(good)
  node.wallMs = ROOT.expires
  node.run(TICK)
  expect(errorOf(node)).toBe('TRUST_ROOT_EXPIRED')
  later(node, 30_000)
  expect(errorOf(node)).toBe('FETCH_UNAVAILABLE')
  node.persist(node.persist(node.run(given(block?.id, good.block))))
  expect(errorOf(node)).toBe('TRUST_ROOT_EXPIRED')
})

it('a release that failed does not hide why nothing newer comes', () => {
  let state: Freshness = 'fresh'
  const node = running({ freshness: { ...NO_BEACONS, state: () => state, heardAny: () => true } })
  comes(node, bad)
  node.persist(node.run(activated(bad, 'unhealthy')))
  node.persist(node.run(activated(good, 'healthy')))
  expect(errorOf(node)).toBe('ACTIVATE_UNHEALTHY')
  for (const [next, code] of [
    ['silent', 'SYNC_SILENT'],
    ['behind', 'SYNC_BEHIND'],
    ['clock-or-delay', 'SYNC_CLOCK_OR_DELAY'],
    ['fresh', 'ACTIVATE_UNHEALTHY'],
  ] as const) {
    state = next
    expect(errorOf(node)).toBe(code)
  }
})

it('what a raised epoch ends is no error of the channel any more', () => {
  const node = running()
  node.wallMs = ROOT.expires
  comes(node, bad)
  expect(errorOf(node)).toBe('TRUST_ROOT_EXPIRED')
  const renewed = successor(ROOT, { expires: ROOT.expires + 1_000_000, raise: ['**' as Pattern] })
  node.persist(node.inside((step, journey) => journey.adoptRoot(step, rootBytes(renewed), PEER)))
  expect(node.view().channels[0]).toMatchObject({ state: 'stale', target: undefined, lastError: undefined })
})

it('but that what is active cannot be read any longer is, as that stays', () => {
  const node = new BenchNode()
  const active = { release: good.id, epoch: 1, activatedAt: 5, soaked: true }
  node.start({ floors: [floorOf(good), floorOf(good)], channels: [record([good.id], { active })] as never })
  node.peer(PEER, { submit: true })
  expect(errorOf(node)).toBe('STORE_CORRUPT')
  const next = successor(ROOT, { raise: ['**' as Pattern] })
  node.persist(node.inside((step, journey) => journey.adoptRoot(step, rootBytes(next), PEER)))
  expect(node.view().channels[0]).toMatchObject({ target: undefined, active: { id: good.id } })
  expect(errorOf(node)).toBe('STORE_CORRUPT')
})

it('why the newest is held back is said on once what is active was found in order after a restart', () => {
  const newest = make({ clock: { alice: 2 }, header: { critical: ['later'] } })
  const active = { release: good.id, epoch: 1, activatedAt: 5, soaked: true }
  const node = new BenchNode()
  const effects = node.start({
    floors: [floorOf(newest), floorOf(newest)],
    channels: [record([newest.id], { active })] as never,
    envelopes: [good, newest].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
    whole: [good.id, newest.id],
  })
  expect(ofKind(effects, 'activate')).toMatchObject([{ release: good.id }])
  node.persist(node.run(activated(good, 'healthy')))
  expect(node.view().channels[0]).toMatchObject({
    gate: 'unsupported',
    lastError: { code: 'ACTIVATE_UNSUPPORTED', release: newest.id },
  })
})

it('what failed at the start, and is in order now, is no error any more', () => {
  const active = { release: good.id, epoch: 1, activatedAt: 5, soaked: true }
  const node = new BenchNode()
  node.start({
    floors: [floorOf(good), floorOf(good)],
    channels: [record([good.id], { active })] as never,
    envelopes: [{ release: good.id, channel: CHANNEL, bytes: good.envelope }],
    whole: [good.id],
  })
  node.run(activated(good, 'failed'))
  expect(errorOf(node)).toBe('ACTIVATE_UNHEALTHY')
  later(node, 2_000)
  node.persist(node.run(activated(good, 'healthy')))
  expect(errorOf(node)).toBeUndefined()
})

it('that the newest is in a format of a later build is said until something newer is taken', () => {
  const node = running()
  node.run(gossip({ envelope: inNewerFormat(bad) }))
  expect(node.view().channels[0]?.lastError).toMatchObject({
    code: 'CODEC_UNSUPPORTED',
    text: 'a release of a newer format; upgrade this node to take it',
  })
  comes(node, make({ clock: { alice: 3 }, text: 'c=1\n' }))
  expect(errorOf(node)).toBeUndefined()
})
