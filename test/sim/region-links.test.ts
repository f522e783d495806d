/** Links between regions: of few nodes beside one of many, which want more than the few have places for, and parted ones. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import { LinkWorld } from './link-world.ts'

const MANY = 100
const FEW = 3
const MINUTE_MS = 60_000
/** Fewer places make fewer nodes many. */
const limits = { ...LIMITS, hardDegree: 24 }

test('a region of few is left alone by those that found no place, and its own nodes find one another again', () => {
  const regionOf = (at: number) => (at <= MANY ? 'many' : 'few')
  const world = new LinkWorld({ seed: 3, seeds: 1, nodes: MANY + FEW, remembered: 0, limits, regionOf })
  const dials = () => world.in('few').reduce((sum, { dialled }) => sum + dialled.length, 0)
  world.run(MINUTE_MS)
  const all = Array.from({ length: FEW }, () => FEW - 1)
  expect(world.linksWithin('few')).toEqual(all)
  expect(Math.min(...world.linksWithin('many'))).toBeGreaterThanOrEqual(limits.minDegree)
  for (const { links } of world.in('few')) expect(links.size).toBeGreaterThanOrEqual(limits.hardDegree)
  const first = dials()
  world.run(2 * MINUTE_MS)
  expect(dials() - first).toBeLessThan(MANY / 2)

  for (const [at, host] of world.in('few').entries()) {
    world.restart(host, 2_000)
    world.run(2 * MINUTE_MS + (at + 1) * 20_000)
  }
  expect(world.linksWithin('few')).toEqual(all)
}, 120_000)

test.each([
  [20, 20],
  [20, 4],
  [5, 5],
])(
  'regions of %i and %i that were parted for minutes are linked again within seconds',
  (one, other) => {
    const regionOf = (at: number) => (at <= one ? 'one' : 'other')
    const world = new LinkWorld({
      ...{ seed: 5, seeds: 1, nodes: one + other, remembered: 0 },
      limits: LIMITS,
      regionOf,
    })
    world.run(MINUTE_MS / 2)
    expect(world.linksAcross()).toBeGreaterThan(0)
    world.part(true)
    world.run(4 * MINUTE_MS)
    expect(world.linksAcross()).toBe(0)
    world.part(false)
    world.run(4 * MINUTE_MS + LIMITS.redialMaxMs)
    expect(world.linksAcross()).toBeGreaterThan(0)
  },
  60_000,
)
