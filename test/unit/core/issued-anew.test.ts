/** A planned rotation issues the target anew in a new epoch, also on a host where it failed its health check. */
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { ChannelRecord } from '../../../src/core/writes.ts'
import { activated, BenchNode, comes, ofKind, soaked } from './bench-node.ts'
import { CHANNEL, floorOf, gossip, type Made, make, PEER, ROOT, raised, rootBytes } from './fleet.ts'

const TICK: Event = { kind: 'tick' }
const two = raised(ROOT)
const good = make({ clock: { alice: 1 } })
const bad = make({ clock: { alice: 2 }, text: 'b=1\n' })
const under2 = (counter: number, text: string): Made =>
  make({ clock: { alice: counter }, text, header: { root: 2 } })
const under3 = (counter: number): Made =>
  make({ clock: { alice: counter }, text: 'b=1\n', header: { root: 3 } })
const anew = under2(1, 'b=1\n')
const shows = (effects: readonly Effect[]) => ofKind(effects, 'activate').map(({ release }) => release)
const records = (effects: readonly Effect[]): readonly ChannelRecord[] =>
  ofKind(effects, 'persist').flatMap(({ writes }) =>
    writes.flatMap((write) => (write.kind === 'channel' ? [write.record] : [])),
  )
const adopts = (node: BenchNode, root = two) => {
  const effects = node.inside((step, journey) => journey.adoptRoot(step, rootBytes(root), PEER))
  const floors = node.persist(effects)
  node.persist(floors)
  return [...effects, ...floors]
}

/** The second failed, and the node stepped back. */
function steppedBack() {
  const node = soaked(good)
  comes(node, bad)
  node.persist(node.run(activated(bad, 'unhealthy')))
  node.persist(node.run(activated(good, 'healthy')))
  return node
}
const stays = {
  active: { id: good.id },
  gate: 'health',
  unhealthy: false,
  lastError: { code: 'ACTIVATE_UNHEALTHY', release: anew.id },
}

describe('what failed here and is issued anew with the root', () => {
  it('is not shown: there is nothing left to go back to from it', () => {
    const node = steppedBack()
    adopts(node)
    const came = node.run(gossip(anew, [anew.page, anew.block]))
    const durable = came.flatMap((effect) =>
      effect.kind === 'persist' ? node.handle({ kind: 'persisted', ticket: effect.ticket }) : [],
    )
    expect(durable).toMatchObject([
      { kind: 'observe', metric: 'publish_to_whole' },
      { kind: 'persist', writes: [{ kind: 'channel', record: { failed: [bad.id, anew.id] } }] },
      { kind: 'note', level: 'error', code: 'ACTIVATE_UNHEALTHY', release: anew.id },
    ])
    node.persist(durable)
    node.monoMs += 60_000
    expect(shows(node.run(TICK))).toEqual([])
    expect(node.view().channels[0]).toMatchObject(stays)
  })

  it('is not shown after two such roots either', () => {
    const node = steppedBack()
    adopts(node)
    adopts(node, raised(two))
    expect(shows(comes(node, under3(1)))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ gate: 'health', active: { id: good.id } })
    adopts(node, raised(raised(two)))
    const fourth = make({ clock: { alice: 1 }, text: 'b=1\n', header: { root: 4 } })
    expect(shows(comes(node, fourth))).toEqual([])
  })

  it('is not shown where the first one was not on disk when the second such root came', () => {
    const node = steppedBack()
    adopts(node)
    const came = node.run(gossip(anew, [anew.page, anew.block]))
    adopts(node, raised(two))
    node.persist(came)
    expect(shows(comes(node, under3(1)))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ gate: 'health', active: { id: good.id } })
  })

  it('is tried after a second such root where other files were not on disk by then, or it was published again', () => {
    for (const first of [under2(1, 'c=1\n'), under2(2, 'b=1\n')]) {
      const node = steppedBack()
      adopts(node)
      const came = node.run(gossip(first, [first.page, first.block]))
      adopts(node, raised(two))
      node.persist(came)
      expect(shows(comes(node, under3(1)))).toEqual([under3(1).id])
    }
  })

  it('is tried where it is published again', () => {
    const node = steppedBack()
    adopts(node)
    node.persist(comes(node, anew))
    const again = under2(2, 'b=1\n')
    expect(shows(comes(node, again))).toEqual([again.id])
  })

  it('is tried where it is published again and the first did not come here', () => {
    const node = steppedBack()
    adopts(node)
    const again = under2(2, 'b=1\n')
    expect(shows(comes(node, again))).toEqual([again.id])
  })

  it('is tried where it is published with another message, as after a theft: that is nothing a rotation does', () => {
    const node = steppedBack()
    adopts(node)
    const right = make({
      clock: { alice: 1 },
      text: 'b=1\n',
      header: { root: 2, message: 'after the theft' },
    })
    expect(shows(comes(node, right))).toEqual([right.id])
  })

  it('is tried where it is published with another end', () => {
    const node = steppedBack()
    adopts(node)
    const longer = make({
      clock: { alice: 1 },
      text: 'b=1\n',
      header: { root: 2, expires: ROOT.expires - 1_000 },
    })
    expect(shows(comes(node, longer))).toEqual([longer.id])
  })

  it('is tried where other files came first', () => {
    const node = steppedBack()
    adopts(node)
    const fixed = under2(1, 'c=1\n')
    expect(shows(comes(node, fixed))).toEqual([fixed.id])
    node.persist(node.run(activated(fixed, 'healthy')))
    for (const back of [
      make({ publisher: 'bob', clock: { bob: 1 }, text: 'b=1\n', header: { root: 2 } }),
      under2(2, 'b=1\n'),
    ]) {
      expect(shows(comes(node, back))).toEqual([back.id])
      node.persist(node.run(activated(back, 'healthy')))
    }
  })

  it('is tried where it runs all the same: nothing is lost by that', () => {
    const node = new BenchNode()
    node.start()
    comes(node, bad)
    node.persist(node.run(activated(bad, 'unhealthy')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: bad.id }, unhealthy: true })
    adopts(node)
    expect(shows(comes(node, anew))).toEqual([anew.id])
  })
})

it('what did not fail is shown when it is issued anew, whatever failed before it', () => {
  const node = steppedBack()
  const fixed = make({ clock: { alice: 3 }, text: 'c=1\n' })
  comes(node, fixed)
  node.persist(node.run(activated(fixed, 'healthy')))
  adopts(node)
  const [same, old] = [under2(1, 'c=1\n'), under2(2, 'b=1\n')]
  expect(shows(comes(node, same))).toEqual([same.id])
  node.persist(node.run(activated(same, 'healthy')))
  expect(shows(comes(node, old))).toEqual([old.id])
})

describe('a restart between the root and what is issued anew', () => {
  const of = (made: Made) => ({ release: made.id, channel: CHANNEL, bytes: made.envelope })
  const roots = [ROOT, two].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
  const restarted = (record: ChannelRecord | undefined, more: object) => {
    const node = new BenchNode({ root: rootBytes(two) })
    const whole = [good.id, bad.id]
    const started = node.start({ roots, channels: [record] as never, whole, ...more })
    node.persist(started)
    node.persist(node.run(activated(good, 'healthy')))
    return { node, started }
  }
  const staysAsItIs = (node: BenchNode) => {
    expect(shows(comes(node, anew))).toEqual([])
    expect(node.view().channels[0]).toMatchObject(stays)
  }

  it('finds what failed where it comes before the floors: the root drops nothing by itself', () => {
    const before = steppedBack()
    const adopted = before.inside((step, journey) => journey.adoptRoot(step, rootBytes(two), PEER))
    expect(ofKind(adopted, 'persist').flatMap(({ writes }) => writes.map(({ kind }) => kind))).toEqual([
      'root',
    ])
  })

  it('finds it also where what the node went back to was active before that: what the floor names is not dropped', () => {
    const before = soaked(good)
    comes(before, bad)
    before.persist(before.run(activated(bad, 'unhealthy')))
    before.inside((step, journey) => journey.adoptRoot(step, rootBytes(two), PEER))
    const back = before.run(activated(good, 'healthy'))
    expect(records(back)).toMatchObject([{ active: { release: good.id } }])
    expect(ofKind(back, 'persist').flatMap(({ writes }) => writes.map(({ kind }) => kind))).not.toContain(
      'dropEnvelope',
    )
  })

  it('finds it also where that came while the floor was being written, which then failed; once it is there it is dropped', () => {
    const before = soaked(good)
    comes(before, bad)
    before.persist(before.run(activated(bad, 'unhealthy')))
    const slice = before.persist(
      before.inside((step, journey) => journey.adoptRoot(step, rootBytes(two), PEER)),
    )
    const kinds = (effects: readonly Effect[]) =>
      ofKind(effects, 'persist').flatMap(({ writes }) => writes.map(({ kind }) => kind))
    expect(kinds(slice)).toEqual(['floor', 'channel'])
    const back = before.run(activated(good, 'healthy'))
    expect(records(back)).toMatchObject([{ active: { release: good.id } }])
    const [{ ticket } = { ticket: 0 }] = ofKind(slice, 'persist')
    const failed = before.run({ kind: 'persistFailed', ticket, code: 'STORE_FAILED' })
    expect(kinds([...back, ...failed, ...before.persist(back)])).toEqual(['channel'])
    before.monoMs += 5_000
    const again = before.run(TICK)
    expect(kinds(again)).toContain('floor')
    expect(kinds(before.persist(again))).toContain('dropEnvelope')
  })

  it('forgets nothing', () => {
    const floor = { ...floorOf(bad), top: { epoch: 2, counter: 0, publisher: '' }, ids: [] } as never
    const record = records(adopts(steppedBack())).at(-1)
    const { node } = restarted(record, { floors: [floor, floor], envelopes: [of(good)] })
    staysAsItIs(node)
  })

  it('that brings the root itself writes down what it ended', () => {
    const node = soaked(good)
    comes(node, bad)
    const [record] = records(node.run(activated(bad, 'unhealthy')))
    const floors = [floorOf(bad), floorOf(bad)]
    const again = restarted(record, { floors, envelopes: [of(good), of(bad)] })
    expect(records(again.started)).toMatchObject([{ failedTarget: expect.any(String), failed: [bad.id] }])
    staysAsItIs(again.node)
  })
})
