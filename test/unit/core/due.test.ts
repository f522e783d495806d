/** What time alone changes in a channel: a soak that ends, an activation to try again, a release or a root that expires. */
import { expect, it, vi } from 'vitest'
import { settleCell, tickActivations } from '../../../src/core/activate.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { OpenStep, StepCounter } from '../../../src/core/open-step.ts'
import { createRoots } from '../../../src/core/roots.ts'
import { createState, newCell } from '../../../src/core/state.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, coreConfig, floorOf, gossip, type Made, make, ROOT, record, WALL_MS } from './fleet.ts'

const TICK: Event = { kind: 'tick' }
const notes = (effects: readonly Effect[]) => ofKind(effects, 'note').map(({ code }) => code)
const done = ({ id }: Made, kind: 'healthy' | 'unhealthy' | 'failed'): Event => ({
  kind: 'activated',
  channel: CHANNEL,
  release: id,
  outcome: kind === 'healthy' ? { kind, changed: 1 } : { kind, code: 'ACTIVATE_FAILED', text: 'no room' },
})

/** A node at which the whole release has just come, and what it does about it. */
function given(made: Made, wallMs = WALL_MS) {
  const node = new BenchNode()
  node.start()
  node.wallMs = wallMs
  const effects = node.persist(node.run(gossip(made, [made.page, made.block])))
  return { node, effects }
}

it('channels at rest are not looked at by a tick, however many there are', () => {
  const config = coreConfig()
  const state = createState(config, createRoots(config.root, LIMITS))
  const channel = 'app/quiet' as Channel
  state.cells.set(channel, newCell(state, channel))
  state.cells.values = () => {
    throw new Error('all channels are walked')
  }
  const step = new OpenStep({ monoMs: 1, wallMs: WALL_MS }, config, new StepCounter(), () => undefined)
  tickActivations(state, step)
  expect(step.close()).toEqual([])
})

it('of very many that wait to be tried again a tick looks at those whose time has come, and wakes at the next', () => {
  const config = coreConfig()
  const roots = createRoots(config.root, LIMITS)
  const state = createState(config, roots)
  const made = make({ clock: { alice: 1 } })
  const counter = new StepCounter()
  const at = (monoMs: number, act: (step: OpenStep) => void) => {
    const step = new OpenStep({ monoMs, wallMs: WALL_MS }, config, counter, () => undefined)
    act(step)
    return step.close()
  }
  for (let n = 0; n < 2_000; n += 1) {
    const cell = newCell(state, `app/c-${n}` as Channel)
    cell.state = { ...cell.state, floor: { ...cell.state.floor, ids: [made.id] } }
    cell.retries.set(made.id, { atMonoMs: 1_000 + n, delayMs: 1_000 })
    state.cells.set(cell.state.channel, cell)
    at(0, (step) => settleCell(state, step, cell))
  }
  counter.spend()
  const looks = vi.spyOn(roots, 'current')
  expect(at(500, (step) => tickActivations(state, step))).toEqual([{ kind: 'wake', atMonoMs: 1_000 }])
  const before = looks.mock.calls.length
  counter.spend()
  expect(at(1_000, (step) => tickActivations(state, step))).toEqual([{ kind: 'wake', atMonoMs: 1_001 }])
  // whether the root is over is looked at by each tick; the gate, for the one that is due
  expect([before, looks.mock.calls.length - before]).toEqual([1, 2])
  expect(state.due.size).toBe(1_999)
})

it('a release soaks for its time, is then written down as healthy, and no tick after that does anything', () => {
  const made = make({ clock: { alice: 1 } })
  const { node, effects } = given(made)
  expect(ofKind(effects, 'activate')).toHaveLength(1)
  node.persist(node.run(done(made, 'healthy')))
  node.monoMs = 29_999
  expect(ofKind(node.run(TICK), 'persist')).toEqual([])
  node.monoMs = 30_000
  const soaked = node.run(TICK)
  const record = { kind: 'channel', record: { active: { release: made.id, soaked: true } } }
  expect(ofKind(soaked, 'persist')).toMatchObject([{ writes: [record] }])
  node.persist(soaked)
  node.monoMs = 31_000
  expect(ofKind(node.run(TICK), 'persist')).toEqual([])
})

it('an activation that touched nothing is tried again when its time has come, and not before', () => {
  const made = make({ clock: { alice: 1 } })
  const { node } = given(made)
  node.run(done(made, 'failed'))
  expect(ofKind(node.run(TICK), 'activate')).toEqual([])
  node.monoMs = 2_000
  expect(ofKind(node.run(TICK), 'activate')).toMatchObject([{ release: made.id }])
})

it('it is tried ever more slowly, up to a minute apart or so', () => {
  const made = make({ clock: { alice: 1 } })
  const { node } = given(made)
  const waits = [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000, 45_000, 45_000]
  for (const waitMs of waits) {
    node.run(done(made, 'failed'))
    node.monoMs += waitMs - 1
    expect(ofKind(node.run(TICK), 'activate')).toEqual([])
    node.monoMs += 1
    expect(ofKind(node.run(TICK), 'activate')).toMatchObject([{ release: made.id }])
  }
})

it('a release that expires before its content is here is said to have, once', () => {
  const made = make({ clock: { alice: 1 }, header: { expires: WALL_MS + 1_000 } })
  const node = new BenchNode()
  node.start()
  node.persist(node.run(gossip(made)))
  expect(notes(node.handle(TICK))).not.toContain('ACTIVATE_EXPIRED')
  node.wallMs = WALL_MS + 1_000
  expect(notes(node.handle(TICK))).toContain('ACTIVATE_EXPIRED')
  expect(notes(node.handle(TICK))).not.toContain('ACTIVATE_EXPIRED')
})

it('a clock that is set right opens the gate that it had closed', () => {
  const made = make({ clock: { alice: 1 }, header: { expires: WALL_MS + 1_000 } })
  const { node, effects } = given(made, WALL_MS + 5_000)
  expect(ofKind(effects, 'activate')).toEqual([])
  node.wallMs = WALL_MS
  expect(ofKind(node.run(TICK), 'activate')).toMatchObject([{ release: made.id }])
})

it('a root that expires, and one that does not after all, are noticed by every channel that waits', () => {
  const made = make({ clock: { alice: 1 } })
  const waiting = new BenchNode()
  waiting.start()
  waiting.persist(waiting.run(gossip(made)))
  waiting.wallMs = ROOT.expires
  expect(notes(waiting.handle(TICK))).toContain('TRUST_ROOT_EXPIRED')
  expect(waiting.view().channels[0]).toMatchObject({ lastError: { code: 'TRUST_ROOT_EXPIRED' } })

  const { node, effects } = given(made, ROOT.expires)
  expect(ofKind(effects, 'activate')).toEqual([])
  node.run(TICK)
  node.wallMs = WALL_MS
  expect(ofKind(node.run(TICK), 'activate')).toMatchObject([{ release: made.id }])
})

it('a release does not soak while another is being shown in its place, and does where that touched nothing', () => {
  const [one, two] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=1\n' })]
  for (const kind of ['unhealthy', 'failed'] as const) {
    const { node } = given(one)
    node.persist(node.run(done(one, 'healthy')))
    node.monoMs = 1_000
    node.persist(node.run(gossip(two, [two.page, two.block])))
    node.monoMs = 40_000
    expect(ofKind(node.run(TICK), 'persist')).toEqual([])
    expect(ofKind(node.run(TICK), 'wake').filter(({ atMonoMs }) => atMonoMs < 60_000)).toEqual([])
    const ended = node.run(done(two, kind))
    node.persist(ended)
    expect(ofKind(ended, 'activate')).toEqual([])
    node.monoMs = 40_001
    node.run(TICK)
    const active = kind === 'failed' ? { id: one.id, soaked: true } : { id: two.id, soaked: false }
    expect(node.view().channels[0]).toMatchObject({ active })
  }
})

it('a release whose files are not shown, or whose check failed after the start, does not soak', () => {
  const [one, two, three] = [1, 2, 3].map((counter) =>
    make({ clock: { alice: counter }, text: `${counter}\n` }),
  ) as [Made, Made, Made]
  const snapshot = {
    floors: [floorOf(three), floorOf(three)],
    channels: [
      record([three.id], { active: { release: one.id, epoch: 1, activatedAt: 5, soaked: false } }),
    ] as never,
    envelopes: [one, two].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
    whole: [one.id, two.id],
  }
  for (const [shown, kind, soaks] of [
    [one, 'healthy', true],
    [two, 'healthy', false],
    [one, 'unhealthy', false],
  ] as const) {
    const node = new BenchNode()
    node.persist(node.start(snapshot, new Map([[CHANNEL, shown.id]])))
    node.persist(node.run(done(one, kind)))
    node.monoMs = 60_000
    const soaked = ofKind(node.run(TICK), 'persist').flatMap(({ writes }) => writes)
    expect(soaked).toMatchObject(
      soaks ? [{ kind: 'channel', record: { active: { release: one.id, soaked: true } } }] : [],
    )
  }
})

it('what runs although its check failed after the start counts as unhealthy until a check of what is active passes', () => {
  const [one, two] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=1\n' })]
  const active = { release: one.id, epoch: 1, activatedAt: 5, soaked: true }
  const relapsed = () => {
    const node = new BenchNode()
    node.start({
      floors: [floorOf(one), floorOf(one)],
      channels: [record([one.id], { active })] as never,
      envelopes: [{ release: one.id, channel: CHANNEL, bytes: one.envelope }],
      whole: [one.id],
    })
    expect(node.view().channels[0]).toMatchObject({ state: 'active', gate: null, unhealthy: false })
    node.persist(node.run(done(one, 'unhealthy')))
    expect(node.view().channels[0]).toMatchObject({ state: 'active', gate: null, unhealthy: true })
    node.persist(node.run(gossip(two, [two.page, two.block])))
    return node
  }
  const mended = relapsed()
  mended.persist(mended.run(done(two, 'healthy')))
  expect(mended.view().channels[0]).toMatchObject({ active: { id: two.id }, unhealthy: false })
  // of a step back no check runs; where its hooks were cut short it is looked at as after a start
  const back = relapsed()
  back.persist(back.run(done(two, 'unhealthy')))
  const cut = { kind: 'failed', code: 'ACTIVATE_FAILED', text: 'no room', shown: true } as const
  back.run({ kind: 'activated', channel: CHANNEL, release: one.id, outcome: cut })
  expect(back.view().channels[0]).toMatchObject({ active: { id: one.id }, unhealthy: true })
  back.monoMs += 2_000
  back.run(TICK)
  back.persist(back.run(done(one, 'healthy')))
  expect(back.view().channels[0]).toMatchObject({ active: { id: one.id }, unhealthy: false })
})
