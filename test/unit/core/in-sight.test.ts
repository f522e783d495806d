/** A release that files show while its hooks wait for a host that is short of processes: nothing older takes its place. */
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { BenchNode, comes, ofKind } from './bench-node.ts'
import { CHANNEL, floorOf, type Made, make, PEER, ROOT, raised, record, rootBytes, WALL_MS } from './fleet.ts'

const good = make({ clock: { alice: 1 } })
const next = make({ clock: { alice: 2 }, text: 'b=1\n', header: { expires: WALL_MS + 600_000 } })
const twin = make({ clock: { alice: 2 }, text: 'd=1\n' })
const newer = make({ clock: { alice: 3 }, text: 'c=1\n' })
const TICK: Event = { kind: 'tick' }
const done = ({ id }: Made, kind: 'healthy' | 'unhealthy' | 'failed' | 'short'): Event => {
  const why = { code: 'ACTIVATE_FAILED', text: 'said by the test' } as const
  const bad = kind === 'short' ? ({ kind: 'failed', ...why, shown: true } as const) : undefined
  const outcome =
    bad ?? (kind === 'healthy' ? { kind, changed: 1 } : { kind: kind as 'unhealthy' | 'failed', ...why })
  return { kind: 'activated', channel: CHANNEL, release: id, outcome }
}
const activations = (effects: readonly Effect[]) =>
  ofKind(effects, 'activate').map(({ release, fallback }) => ({ release, fallback }))
const tried = (node: BenchNode, ms: number) => {
  node.monoMs += ms
  return activations(node.run(TICK))
}
const target = ({ id }: Made) => [{ release: id, fallback: false }]

/** A root ends the epoch. */
const raises = (node: BenchNode): readonly Effect[] => {
  const effects = node.inside((step, journey) => journey.adoptRoot(step, rootBytes(raised(ROOT)), PEER))
  const floors = node.persist(effects)
  return [...effects, ...floors, ...node.persist(floors)]
}

/** The record says that the first is active; the second is whole, and its hooks are cut short. */
function restarted(soaked = true, read = [good, next]) {
  const node = new BenchNode()
  node.peer(PEER, { submit: true })
  const active = { release: good.id, epoch: 1, activatedAt: 5, soaked }
  const start = node.start({
    floors: [floorOf(next), floorOf(next)],
    channels: [record([next.id], { active })] as never,
    envelopes: read.map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
    whole: [good.id, next.id],
    blocks: new Set([good, next].flatMap(({ content }) => [...content.keys()])),
  })
  expect(activations(start)).toEqual(target(next))
  return { node, effects: node.run(done(next, 'short')) }
}

describe('after a start', () => {
  it('it stays, is served, and is tried again by itself', () => {
    const { node, effects } = restarted()
    expect(activations(effects)).toEqual([])
    expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: next.id, soaked: false } }] })
    for (const ms of [2_000, 4_000]) {
      expect(tried(node, ms)).toEqual(target(next))
      expect(activations(node.run(done(next, 'short')))).toEqual([])
    }
    expect(tried(node, 8_000)).toEqual(target(next))
    const active = node.run(done(next, 'healthy'))
    expect(ofKind(active, 'persist').flatMap(({ writes }) => writes)).toMatchObject([
      { kind: 'channel', record: { active: { release: next.id }, history: [{ release: good.id }] } },
    ])
  })

  it('it stays and is served, too, where it expires meanwhile, and its hooks run until they are through', () => {
    const { node } = restarted()
    node.wallMs = WALL_MS + 600_000
    node.monoMs += 60_000
    const effects = node.handle(TICK)
    expect(activations(effects)).toEqual(target(next))
    expect(ofKind(effects, 'note')).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ gate: 'expired', active: { id: next.id } })
    node.run(done(next, 'short'))
    expect(tried(node, 60_000)).toEqual(target(next))
    expect(ofKind(node.run(done(next, 'healthy')), 'persist').flatMap(({ writes }) => writes)).toMatchObject([
      { kind: 'channel', record: { active: { release: next.id } } },
    ])
    expect(tried(node, 60_000)).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ state: 'stale', active: { id: next.id } })
  })

  it('its check may fail, too, once it has expired: then it is gone back from', () => {
    const { node } = restarted()
    node.wallMs = WALL_MS + 600_000
    tried(node, 60_000)
    expect(activations(node.run(done(next, 'unhealthy')))).toEqual([{ release: good.id, fallback: true }])
    expect(node.view().channels[0]).toMatchObject({ gate: 'health', active: { id: good.id } })
  })

  it('once it has expired, what waits for its turn is taken back by a root that ends its epoch, and by what is newer', () => {
    for (const change of [raises, (node: BenchNode) => comes(node, newer)]) {
      const { node } = restarted()
      node.wallMs = WALL_MS + 600_000
      expect(tried(node, 60_000)).toEqual(target(next))
      expect(ofKind(change(node), 'withdraw')).toMatchObject([{ release: next.id }])
    }
  })

  it.each(['held', 'of an ended epoch'])('once it is %s', (why) => {
    const { node } = restarted()
    if (why === 'held') comes(node, twin)
    else raises(node)
    expect(node.view().channels[0]).toMatchObject({ active: { id: next.id } })
    expect(tried(node, 60_000)).toEqual(why === 'held' ? target(next) : [])
  })

  it('and that what is active by the record cannot be read is no news where files show another', () => {
    const node = new BenchNode()
    const active = { release: good.id, epoch: 1, activatedAt: 5, soaked: true }
    const snapshot = {
      floors: [floorOf(next), floorOf(next)],
      channels: [record([next.id], { active })] as never,
      envelopes: [{ release: next.id, channel: CHANNEL, bytes: next.envelope }],
      whole: [next.id],
    }
    node.start(snapshot, new Map([[CHANNEL, next.id]]))
    expect(node.view().channels[0]).toMatchObject({ active: { id: next.id }, lastError: undefined })
  })

  it('and the channel is not empty where what is active by the record cannot be read any longer', () => {
    const { node } = restarted(true, [next])
    node.wallMs = WALL_MS + 600_000
    tried(node, 60_000)
    expect(node.view().channels[0]).toMatchObject({
      state: 'active',
      gate: 'expired',
      active: { id: next.id },
    })
  })

  it('what is active by the record does not soak: files show another', () => {
    const { node } = restarted(false)
    node.wallMs = WALL_MS + 600_000
    node.monoMs = 60_000
    expect(ofKind(node.run(TICK), 'persist')).toEqual([])
  })

  it('it is not served any more once its check fails', () => {
    const { node } = restarted()
    tried(node, 2_000)
    const failed = node.run(done(next, 'unhealthy'))
    expect(activations(failed)).toEqual([{ release: good.id, fallback: true }])
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id }, unhealthy: true })
  })

  it('it stays here and is served while a newer one fails', () => {
    const { node } = restarted()
    expect(activations(comes(node, newer))).toEqual(target(newer))
    expect(activations(node.run(done(newer, 'failed')))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ target: newer.id, active: { id: next.id } })
  })
})

describe('after a start, what files show and a gate keeps back by now', () => {
  const late = make({ clock: { alice: 2 }, text: 'b=1\n', header: { expires: WALL_MS - 1 } })
  const begins = (shown: Made, more: { readonly behind?: true; readonly floorLost?: true } = {}) => {
    const node = new BenchNode()
    const active = { release: good.id, epoch: 1, activatedAt: 5, soaked: true }
    const snapshot = {
      floors: more.floorLost ? [] : [floorOf(more.behind ? good : shown), floorOf(shown)],
      channels: [record([shown.id], { active })] as never,
      envelopes: [good, shown].map(({ id, envelope }) => ({
        release: id,
        channel: CHANNEL,
        bytes: envelope,
      })),
      whole: [good.id, shown.id],
      floorLost: more.floorLost === true,
    }
    const effects = node.start(snapshot, new Map([[CHANNEL, shown.id]]))
    const looks = ofKind(effects, 'activate').map(({ release, previous, ahead }) => ({
      release,
      previous,
      ahead,
    }))
    return { node, effects, looks }
  }
  const looked = [{ release: good.id, previous: good.id, ahead: late.id }]

  it('is gone through with, rather than looked through', () => {
    expect(begins(late).looks).toEqual([{ release: late.id, previous: good.id, ahead: undefined }])
  })

  it('not before order is on disk', () => {
    const { node, effects, looks } = begins(late, { behind: true })
    expect(looks).toEqual(looked)
    expect(activations(node.persist(effects))).toEqual([])
    expect(activations(node.run(done(good, 'healthy')))).toEqual(target(late))
  })

  it('not before others were asked, where the floor is lost', () => {
    const { node, effects, looks } = begins(late, { floorLost: true })
    expect(looks).toEqual(looked)
    node.persist(effects)
    expect(activations(node.run(done(good, 'healthy')))).toEqual([])
    expect(tried(node, 60_000)).toEqual(target(late))
  })

  it('not where this build does not know what it asks for', () => {
    const strange = make({ clock: { alice: 2 }, text: 'b=1\n', header: { critical: ['wasm'] } })
    const { node, looks } = begins(strange)
    expect(looks).toEqual([{ ...looked[0], ahead: strange.id }])
    comes(node, make({ clock: { alice: 2 }, text: 'b=2\n', header: { critical: ['wasm'] } }))
    expect(activations(node.run(done(good, 'healthy')))).toEqual([])
  })

  it('is not taken back for itself once its gate is open again', () => {
    const { node } = begins(late)
    node.wallMs -= 60_000
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
  })
})

describe('what files show ahead of its check, while a newer one is kept back', () => {
  const late = make({ clock: { alice: 3 }, text: 'c=1\n', header: { expires: WALL_MS - 1 } })
  const asked = (effects: readonly Effect[]) =>
    ofKind(effects, 'request').filter(
      ({ request: { message } }) => message.type === 'want' && message.digest === sha256(next.block),
    )
  const loses = (node: BenchNode): void => {
    node.run({ kind: 'blockLost', digest: sha256(next.block) })
    node.monoMs += 10_000
    node.run(TICK)
  }
  const found = (node: BenchNode) =>
    node.run({ kind: 'blockRead', digest: sha256(next.page), bytes: next.page })

  it('is looked through where it may have lost a block, and that is fetched', () => {
    const { node } = restarted()
    comes(node, late)
    loses(node)
    expect(asked(found(node))).toHaveLength(1)
  })

  it('is fetched on', () => {
    const { node } = restarted()
    loses(node)
    const [want] = asked(found(node))
    comes(node, late)
    const said = [node.run({ kind: 'requestFailed', id: want?.id ?? 0, code: 'NET_TIMEOUT' })]
    for (let second = 0; second < 60; second += 1) {
      node.monoMs += 1_000
      said.push(node.run(TICK))
    }
    expect(asked(said.flat()).length).toBeGreaterThan(0)
  })
})

it('what was active stops to soak where another takes its place in sight', () => {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  comes(node, good)
  node.persist(node.run(done(good, 'healthy')))
  comes(node, next)
  node.run(done(next, 'short'))
  node.wallMs = WALL_MS + 600_000
  node.monoMs = 60_000
  expect(ofKind(node.run(TICK), 'persist')).toEqual([])
  expect(node.view().channels[0]).toMatchObject({ active: { id: next.id } })
})

describe('a step back', () => {
  /** The second has failed; the step back to the first begins. */
  function stepsBack() {
    const { node } = restarted()
    tried(node, 2_000)
    node.persist(node.run(done(next, 'unhealthy')))
    return node
  }

  it('whose hooks are cut short has left what failed, and only its hooks run again', () => {
    const node = stepsBack()
    expect(activations(node.run(done(good, 'short')))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id }, unhealthy: false })
    node.monoMs += 2_000
    const again = ofKind(node.run(TICK), 'activate')
    expect(again).toMatchObject([{ release: good.id, previous: good.id, fallback: false }])
    node.run(done(good, 'healthy'))
    expect(tried(node, 60_000)).toEqual([])
  })

  it('whose hooks are cut short is not undone by a root that ends the epoch', () => {
    const node = stepsBack()
    node.run(done(good, 'short'))
    raises(node)
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id }, unhealthy: false })
  })

  it('is not taken any more once files show a newer one', () => {
    const node = stepsBack()
    node.run(done(good, 'failed'))
    expect(activations(comes(node, newer))).toEqual(target(newer))
    expect(activations(node.run(done(newer, 'short')))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: newer.id }, unhealthy: false })
    expect(tried(node, 2_000)).toEqual(target(newer))
  })
})
