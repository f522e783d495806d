/** What a node waits for before it is ready; asked for by each probe, of a node with tens of thousands of channels. */
import { expect, test, vi } from 'vitest'
import { createRoots } from '../../../src/core/roots.ts'
import { createState, keepCell, newCell } from '../../../src/core/state.ts'
import { readinessOf } from '../../../src/core/view-of.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { BenchNode } from './bench-node.ts'
import { coreConfig, make } from './fleet.ts'

const made = make({ clock: { alice: 1 } })
const ACTIVE = { release: made.id, epoch: 1, activatedAt: 5, soaked: false }

/** A node of these patterns that knows channels: those that are active, and those that are not yet. */
function node(patterns: readonly string[], active: readonly string[], waiting: readonly string[] = []) {
  const config = coreConfig({ patterns: patterns as readonly Pattern[] })
  const state = createState(config, createRoots(config.root, LIMITS))
  for (const channel of [...active, ...waiting] as Channel[]) {
    const cell = newCell(state, channel)
    const floor = { ...cell.state.floor, ids: [made.id] }
    cell.state = { ...cell.state, floor, active: active.includes(channel) ? ACTIVE : undefined }
    keepCell(state, cell)
  }
  keepCell(state, newCell(state, 'app/empty' as Channel))
  return state
}

test.each([
  { patterns: ['app/**'], active: ['app/a'], waiting: [], before: [], after: [] },
  {
    patterns: ['app/**', 'app/*'],
    active: ['app/a'],
    waiting: ['app/b'],
    before: ['app/b'],
    after: ['app/b'],
  },
  { patterns: ['app/**', 'db/**'], active: ['app/a'], waiting: [], before: ['db/**'], after: [] },
  { patterns: ['app/a', 'app/b'], active: ['app/a'], waiting: [], before: ['app/b'], after: ['app/b'] },
  {
    patterns: ['app/empty', 'b'],
    active: [],
    waiting: ['b'],
    before: ['app/empty', 'b'],
    after: ['app/empty', 'b'],
  },
  { patterns: ['app/**'], active: [], waiting: [], before: ['app/**'], after: [] },
  { patterns: ['db/**'], active: ['app/a', 'db/a'], waiting: ['app/b'], before: [], after: [] },
])('a node of $patterns with $active active waits for $before, once it has compared for $after', (given) => {
  const state = node(given.patterns, given.active, given.waiting)
  expect(readinessOf(state, () => false)).toEqual({
    ready: given.before.length === 0,
    waitingFor: given.before,
  })
  expect(readinessOf(state, () => true)).toEqual({ ready: given.after.length === 0, waitingFor: given.after })
})

test('each channel is looked at once, however many patterns there are', () => {
  const channels = Array.from({ length: 300 }, (_, at) => `app/c-${at}`)
  const patterns = [...channels.slice(0, 30), ...Array.from({ length: 30 }, (_, at) => `app/c-${at}/**`)]
  const state = node(['app/*', ...patterns], channels)
  const split = vi.spyOn(String.prototype, 'split')
  expect(readinessOf(state, () => true)).toEqual({ ready: true, waitingFor: [] })
  // each pattern is looked at for a wildcard
  expect(split.mock.calls.length).toBeLessThan(2 * (patterns.length + 1))
  split.mockRestore()
})

test('a seed of a new fleet that names others does not wait for them for long: they may wait for it', () => {
  const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
  const node = new BenchNode({ seeds, submit: true, patterns: ['**' as Pattern] })
  node.start()
  node.monoMs = 9_999
  expect(node.readiness().ready).toBe(false)
  node.monoMs = 10_000
  expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
})

test('a node waits for a peer that stores something of each pattern, ten seconds at most for one that nobody may store', () => {
  const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
  const patterns = ['app/**', 'pay/*'] as readonly string[] as readonly Pattern[]
  const node = new BenchNode({ seeds, patterns })
  node.start()
  node.compared = 1
  node.comparedOf = ['app/**' as Pattern]
  node.monoMs = 9_999
  expect(node.readiness()).toEqual({ ready: false, waitingFor: ['pay/*'] })
  expect(node.view()).toMatchObject({ ready: false, waitingFor: ['pay/*'] })
  node.comparedOf = patterns
  expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
  node.comparedOf = ['app/**' as Pattern]
  node.monoMs = 10_000
  expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
})
