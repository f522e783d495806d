import { expect, test, vi } from 'vitest'
import { heard } from '../../../src/daemon/heard.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import type { Core } from '../../../src/runtime/driver.ts'
import type { Effect, Event, Write } from '../../../src/runtime/ports.ts'

const [one, other] = ['pay/prod', 'web/prod'] as Channel[] as [Channel, Channel]
const now = { monoMs: 0, wallMs: 0 }
const tick: Event = { kind: 'tick' }
const persist = (...writes: readonly unknown[]): Effect =>
  ({ kind: 'persist', ticket: 1, writes: writes as readonly Write[], sync: true }) as unknown as Effect

function hearing(effects: readonly Effect[]): { core: Core; told: Channel[]; bytes: number[] } {
  const [told, bytes]: [Channel[], number[]] = [[], []]
  const core = {
    handle: vi.fn(() => effects),
    release: (id: ReleaseId) =>
      id === ('of-one' as never) ? ({ header: { channel: one } } as Release) : undefined,
  }
  const view = { activated: (channel: Channel) => void told.push(channel) }
  return { core: heard(core, view, (count) => bytes.push(count)), told, bytes }
}

test.each([
  ['an activation', { kind: 'activated', channel: one } as unknown as Event, []],
  [
    'a record, as where a root ends a step back',
    tick,
    [persist({ kind: 'channel', record: { channel: one } })],
  ],
  ['what is whole, as where files show it already', tick, [persist({ kind: 'whole', release: 'of-one' })]],
])('watchers of a channel hear of %s', (_, event, effects) => {
  const { core, told } = hearing(effects)
  expect(core.handle(event, now)).toEqual(effects)
  expect(told).toEqual([one])
})

test('once a step, and each channel for itself', () => {
  const { core, told } = hearing([
    persist({ kind: 'whole', release: 'of-one' }, { kind: 'whole', release: 'gone' }),
    persist({ kind: 'channel', record: { channel: one } }, { kind: 'channel', record: { channel: other } }),
  ])
  core.handle(tick, now)
  expect(told).toEqual([one, other])
})

test('nobody hears of what changes no record, but for the bytes of blocks', () => {
  const { core, told, bytes } = hearing([
    persist({ kind: 'block', bytes: new Uint8Array(3) }, { kind: 'block', bytes: new Uint8Array(4) }),
    { kind: 'note' } as Effect,
  ])
  core.handle(tick, now)
  expect([told, bytes]).toEqual([[], [7]])
})
