import { expect, test, vi } from 'vitest'
import type { Content } from '../../../src/daemon/content.ts'
import { heard } from '../../../src/daemon/heard.ts'
import { createView, type ViewSources } from '../../../src/daemon/view.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import type { Effect, Event, Write } from '../../../src/runtime/ports.ts'
import { BenchNode } from '../core/bench-node.ts'
import { CHANNEL, floorOf, gossip, make, record } from '../core/fleet.ts'

const [one, other] = ['pay/prod', 'web/prod'] as Channel[] as [Channel, Channel]
const now = { monoMs: 0, wallMs: 0 }
const tick: Event = { kind: 'tick' }
const persist = (...writes: readonly unknown[]): Effect =>
  ({ kind: 'persist', ticket: 1, writes: writes as readonly Write[], sync: true }) as unknown as Effect

function hearing(given: readonly Effect[]) {
  const effects = [...given]
  const [told, bytes]: [Channel[], number[]] = [[], []]
  const core = {
    handle: () => [...effects],
    release: (id: ReleaseId) =>
      id === ('of-one' as never) ? ({ header: { channel: one } } as Release) : undefined,
  }
  const view = { activated: (channel: Channel) => void told.push(channel) }
  return { core: heard(core, view, (count) => bytes.push(count)), told, bytes, effects }
}

test.each([
  ['an activation', { kind: 'activated', channel: one } as unknown as Event, []],
  [
    'a record, as where a root ends a step back',
    tick,
    [persist({ kind: 'channel', record: { channel: one } })],
  ],
])('watchers of a channel hear of %s', (_, event, effects) => {
  const { core, told } = hearing(effects)
  expect(core.handle(event, now)).toEqual(effects)
  expect(told).toEqual([one])
})

test('once a step, and each channel for itself', () => {
  const { core, told } = hearing([
    persist({ kind: 'channel', record: { channel: one } }),
    persist({ kind: 'channel', record: { channel: one } }, { kind: 'channel', record: { channel: other } }),
  ])
  core.handle(tick, now)
  expect(told).toEqual([one, other])
})

/** A write says that this is whole; then the events come. @returns who is told, of each */
function whole(release: string, ...events: readonly Event[]): readonly (readonly Channel[])[] {
  const { core, told, effects } = hearing([persist({ kind: 'whole', release })])
  core.handle(tick, now)
  expect(told).toEqual([])
  effects.splice(0)
  return events.map((event) => {
    core.handle(event, now)
    return told.splice(0)
  })
}

test('what is whole is heard of once that is on disk, and only once', () => {
  const [other, persisted] = [2, 1].map((ticket) => ({ kind: 'persisted', ticket }) as Event) as [
    Event,
    Event,
  ]
  expect(whole('of-one', other, persisted, persisted)).toEqual([[], [one], []])
  expect(whole('gone', persisted)).toEqual([[]])
})

test('what could not be written as whole is not heard of', () => {
  const failed = { kind: 'persistFailed', ticket: 1, code: 'STORE_FULL' } as Event
  expect(whole('of-one', failed, { kind: 'persisted', ticket: 1 } as Event)).toEqual([[], []])
})

test('watchers are told of what files show as it becomes whole, though it is not active by any record', async () => {
  const [old, made] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=1\n' })]
  const node = new BenchNode()
  const active = { release: old.id, epoch: 1, activatedAt: 5, soaked: true }
  const facts = {
    channelView: (channel: Channel) => node.channelView(channel),
    release: (id: ReleaseId) => [old, made].find((each) => each.id === id)?.release,
  }
  const content = { files: async () => [] } as unknown as Content
  const view = createView({ core: facts, content, onProblem: vi.fn() } as unknown as ViewSources)
  const core = heard({ ...facts, handle: (event: Event) => node.run(event) } as never, view)
  node.start(
    {
      floors: [floorOf(made), floorOf(made)],
      channels: [record([made.id], { active })] as never,
      envelopes: [{ release: old.id, channel: CHANNEL, bytes: old.envelope }],
      whole: [old.id],
    },
    new Map([[CHANNEL, made.id]]),
  )
  const seen: ReleaseId[] = []
  view.subscribe(CHANNEL, ({ release }) => seen.push(release))
  for (const effect of core.handle(gossip(made, [made.page, made.block]), now))
    if (effect.kind === 'persist') core.handle({ kind: 'persisted', ticket: effect.ticket } as Event, now)
  await vi.waitFor(() => expect(seen).toEqual([made.id]))
})

test('nobody hears of what changes no record, but for the bytes of blocks', () => {
  const { core, told, bytes } = hearing([
    persist({ kind: 'block', bytes: new Uint8Array(3) }, { kind: 'block', bytes: new Uint8Array(4) }),
    { kind: 'note' } as Effect,
  ])
  core.handle(tick, now)
  expect([told, bytes]).toEqual([[], [7]])
})
