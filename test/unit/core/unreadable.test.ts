/** What is active by the record, and cannot be read after a start: over a limit that was lowered, or its envelope damaged. */
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { activated, BenchNode, comes, ofKind } from './bench-node.ts'
import { CHANNEL, floorOf, gossip, make, ROOT, raised, record, rootBytes, withLimits } from './fleet.ts'

const older = make({ clock: { alice: 1 } })
const large = make({ clock: { alice: 2 }, text: 'b=1\n', also: 'c=1\n' })
const next = make({ clock: { alice: 3 }, text: 'd=1\n' })
const active = { release: large.id, epoch: 1, activatedAt: 5, soaked: true }
const stored = { release: large.id, channel: CHANNEL, bytes: large.envelope }
const snapshot = {
  floors: [floorOf(large), floorOf(large)],
  channels: [record([large.id], { active })] as never,
  envelopes: [stored],
  whole: [large.id],
}
const shows = (effects: readonly Effect[]) =>
  ofKind(effects, 'activate').map(({ release, previous }) => ({ release, previous }))

/** One file is allowed by now. */
function lowered(more: object = {}, change: object = {}) {
  const node = new BenchNode({ limits: withLimits({ maxFiles: 1 }), ...change })
  const started = node.start({ ...snapshot, ...more })
  node.persist(started)
  return { node, started }
}

describe('a release over a limit that was lowered', () => {
  it('is waited for, the channel says why, and its files serve on', () => {
    const { node, started } = lowered()
    expect(node.view().channels[0]).toMatchObject({
      state: 'fetching',
      gate: 'content',
      active: { id: large.id, release: undefined },
      lastError: { code: 'LIMIT_CONTENT', release: large.id, text: expect.stringContaining('any longer: ') },
    })
    expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
    // What files show stays.
    expect(shows(started)).toEqual([])
    expect(ofKind(node.handle(gossip(large)), 'persist')).toEqual([])
  })

  it('is what is active no more where nothing else is to come', () => {
    const roots = [ROOT, raised(ROOT)].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
    const { node } = lowered({ roots }, { root: rootBytes(raised(ROOT)) })
    expect(node.view().channels[0]).toMatchObject({ state: 'empty', gate: null, target: undefined })
  })

  it('is followed by nothing older, and goes for a newer one that fits', () => {
    const { node } = lowered()
    expect(shows(comes(node, older))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ target: large.id, top: floorOf(large).top })
    expect(shows(comes(node, next))).toEqual([{ release: next.id, previous: large.id }])
    node.persist(node.run(activated(next, 'healthy')))
    expect(node.view().channels[0]).toMatchObject({ state: 'active', gate: null, active: { id: next.id } })
    expect(node.view().channels[0]?.lastError).toBeUndefined()
    expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
  })

  it('is nothing to go back to: a newer one that fails its check stays', () => {
    const { node } = lowered()
    comes(node, next)
    const failed = node.run(activated(next, 'unhealthy'))
    expect(shows([...failed, ...node.persist(failed)])).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: next.id }, unhealthy: true })
  })
})

it('one whose envelope was damaged is active again once a peer gave that, and its files are looked at', () => {
  const node = new BenchNode()
  node.persist(node.start({ ...snapshot, envelopes: [], whole: [], corrupt: 1 }))
  const lastError = { code: 'STORE_CORRUPT', release: large.id }
  expect(node.view().channels[0]).toMatchObject({ state: 'fetching', gate: 'content', lastError })
  const here = node.persist(node.run(gossip(large, [large.page, ...[...large.content.values()].slice(1)])))
  expect(shows(here)).toEqual([{ release: large.id, previous: large.id }])
  node.persist(node.run(activated(large, 'healthy')))
  const active = { state: 'active', gate: null, lastError: undefined, active: { id: large.id } }
  expect(node.view().channels[0]).toMatchObject(active)
})
