import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { GarbageBound } from '../../../src/cli/heap-growth.ts'

const MODULE = join(import.meta.dirname, '../../../src/cli/heap-growth.ts')

/** Up to twelve processes of a second or two each: on a busy machine many times that. */
vi.setConfig({ testTimeout: 180_000 })

const COMMON = `
  import { setImmediate } from 'node:timers/promises'
  import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
  import { runInNewContext } from 'node:vm'
  import { boundHeapGrowth } from ${JSON.stringify(MODULE)}

  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  /** Of one semi-space, whole MiB. */
  const semiSpace = () => {
    const { space_used_size, space_available_size } = young()
    return Math.round((space_used_size + space_available_size) / 2 ** 20)
  }
  /** Makes the young generation grow as far as it may. */
  async function work() {
    let kept = []
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 100_000; i++) {
        kept.push({ i })
        if (kept.length > 200_000) kept = []
      }
      await setImmediate()
    }
  }`

/** What a process of its own says. */
function run(program: string): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', COMMON + program], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

/** V8 may stop half a step beyond what is asked for. */
const NEAR_FOUR = { least: 4, most: 6 }
const isNearFour = (mib: number | undefined): boolean =>
  mib !== undefined && mib >= NEAR_FOUR.least && mib <= NEAR_FOUR.most

const MOST_RUNS = 6

/**
 * Two collections may come before the bound is set anew after the first, and then it grows once more: in one of ten runs,
 * and in one of a million in all of these.
 * @returns what the first run that fits says, or the last
 */
function whereItFits(fits: (said: Record<string, number>) => boolean, program: string) {
  for (let runs = 1; ; runs += 1) {
    const said = run(program) as Record<string, number>
    if (fits(said) || runs === MOST_RUNS) return said
  }
}

test('the young generation of a node works with 4 MiB, where V8 would take many times that', () => {
  const { free, bounded } = whereItFits(
    (said) => isNearFour(said.bounded),
    `
    await work()
    const free = semiSpace()
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    boundHeapGrowth()
    await work()
    console.log(JSON.stringify({ free, bounded: semiSpace() }))`,
  )
  expect(bounded).toSatisfy(isNearFour)
  expect(free).toBeGreaterThan(8)
})

test('what V8 takes off it while the node is idle it gets back', () => {
  const { first, idle, busy } = whereItFits(
    (said) => isNearFour(said.busy),
    `
    boundHeapGrowth()
    const first = semiSpace()
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    const idle = semiSpace()
    await setImmediate()
    await work()
    console.log(JSON.stringify({ first, idle, busy: semiSpace() }))`,
  )
  expect(first).toSatisfy(isNearFour)
  expect(idle).toBeLessThan(NEAR_FOUR.least)
  expect(busy).toSatisfy(isNearFour)
})

test('and keeps to it while V8 marks what lives, whatever is made meanwhile', () => {
  const growing = (more: string): string => `
    boundHeapGrowth()
    ${more}
    let most = 0
    const old = Array.from({ length: 1_000_000 }, (_, i) => ({ i, next: { i } }))
    for (let i = 0; i < 3_000_000; i++) {
      old[i % old.length] = { i, next: { i } }
      if (i % 20_000 === 0) await setImmediate()
      if (i % 5_000 === 0) most = Math.max(most, young().physical_space_size / 2 ** 20)
    }
    console.log(JSON.stringify({ most }))`
  const isBounded = ({ most = 0 }): boolean => most <= 2 * NEAR_FOUR.most
  const isBeyond = (said: { most?: number }): boolean => !isBounded(said)
  expect(whereItFits(isBounded, growing(''))).toSatisfy(isBounded)
  const byItself = growing("setFlagsFromString('--separate-gc-phases')")
  // To 20 to 70 MiB, and on a busy machine now and then to less than the bound.
  expect(whereItFits(isBeyond, byItself)).toSatisfy(isBeyond)
})

/** The heap on average over what lives, while things grow old and are garbage then, as what peers send does. */
const heapOverLiving = (bound: string): unknown =>
  run(`
    ${bound}
    const old = Array.from({ length: 200_000 }, () => [0])
    const used = () => process.memoryUsage().heapUsed / 2 ** 20
    collect()
    const living = used()
    let [sum, looks] = [0, 0]
    for (let i = 0; i < 5_000_000; i++) {
      old[i % old.length] = [i]
      if (i % 50_000 === 0) await setImmediate()
      if (i % 10_000 === 0) [sum, looks] = [sum + used(), looks + 1]
    }
    console.log(JSON.stringify(sum / looks / living))`)

/** V8 marks beside the work, so that this varies from run to run: by itself 3.0 to 3.8, of a node 1.9 to 2.5. */
const meanOfThree = (bound: string): number =>
  [1, 2, 3].reduce((sum) => sum + Number(heapOverLiving(bound)), 0) / 3

test('a node lets less garbage lie in its old generation than V8 by itself', () => {
  expect(meanOfThree('boundHeapGrowth()')).toBeLessThan(0.85 * meanOfThree(''))
})

describe('how much of what lives may be garbage', () => {
  const percentAt = (bound: GarbageBound, mib: number) => bound.percentAfter(mib * 2 ** 20, true)

  test('half, and a fifth once a node has more objects than in calm', () => {
    const bound = new GarbageBound()
    expect([20, 40, 50, 200].map((mib) => percentAt(bound, mib))).toEqual([50, 50, 20, 20])
  })

  test('as much as lives while a transfer leaves it, which is over with the blocks', () => {
    const bound = new GarbageBound()
    const blocks = (count: number) => {
      for (let left = count; left > 0; left -= 1) bound.contentCame(2 ** 18)
    }
    blocks(3)
    expect(percentAt(bound, 50)).toBe(20)
    blocks(4)
    // The young generation alone: what is left of the old one came by the same blocks.
    expect(bound.percentAfter(50 * 2 ** 20, false)).toBe(100)
    expect([percentAt(bound, 50), percentAt(bound, 50)]).toEqual([100, 20])
    blocks(3)
    expect(percentAt(bound, 30)).toBe(50)
  })
})

test('the last of many small buffers that lives keeps 8 KiB, not the 64 that Node cuts them from', () => {
  const kept = (bound: string) =>
    run(`
    ${bound}
    // what the pool of before still holds
    for (let i = 0; i < 100; i++) Buffer.allocUnsafe(1_000)
    console.log(JSON.stringify(Buffer.from('an address').buffer.byteLength))`)
  expect(kept('boundHeapGrowth()')).toBe(8 * 1024)
  expect(kept('')).toBe(64 * 1024)
})
