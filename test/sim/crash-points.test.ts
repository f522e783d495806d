import { describe, expect, test } from 'vitest'
import { createNode } from '../../src/core/node.ts'
import { POINT_KINDS, type Point, pointsOf, runPoint } from '../../src/sim/crash-points.ts'
import type { CreateCore } from '../../src/sim/node.ts'

/** Every one of them takes minutes (`npm run sim:night`); these are spread over the whole life. */
const STRIDE = 17

/** Takes a write that failed for one that is still under way. */
const deafToFailure: CreateCore = (config) => {
  const core = createNode(config)
  return {
    view: (now) => core.view(now),
    handle: (event, now) => (event.kind === 'persistFailed' ? [] : core.handle(event, now)),
  }
}

/** Lets the cache take whatever it wants. */
const keepsNothing: CreateCore = (config) => {
  const core = createNode(config)
  return {
    view: (now) => core.view(now),
    handle: (event, now) =>
      core
        .handle(event, now)
        .map((effect) => (effect.kind === 'collect' ? { ...effect, keep: [], envelopes: [] } : effect)),
  }
}

async function broken(node: number): Promise<readonly string[]> {
  const calm = await runPoint(node)
  const found = calm.problem === undefined ? [] : [`calm: ${calm.problem}`]
  const kinds = new Set<Point['kind']>()
  for (const point of pointsOf(node, calm, STRIDE, node)) {
    kinds.add(point.kind)
    const { problem } = await runPoint(node, point)
    if (problem !== undefined) found.push(`${point.kind} ${point.at} of node ${node}: ${problem}`)
  }
  expect([...kinds]).toEqual([...POINT_KINDS])
  return found
}

describe('a node dies before an effect, its disk fails at a write, a record is damaged: all promises hold', () => {
  test('of a seed', async () => {
    expect(await broken(0)).toEqual([])
  }, 300_000)

  test('of another node', async () => {
    expect(await broken(3)).toEqual([])
  }, 300_000)

  test('and a core that does not hear of failed writes is found out', async () => {
    const calm = await runPoint(3, undefined, deafToFailure)
    for (const point of pointsOf(3, calm)) {
      if (point.kind !== 'io-error') continue
      const { problem } = await runPoint(3, point, deafToFailure)
      if (problem !== undefined) return
    }
    expect.unreachable('no point broke a promise')
  }, 300_000)

  test('and a core that names nothing to be kept when the cache is collected', async () => {
    const { problem } = await runPoint(3, undefined, keepsNothing)
    expect(problem).toMatch(/^promise 6: .* lacks content of the release/)
  }, 300_000)
})
