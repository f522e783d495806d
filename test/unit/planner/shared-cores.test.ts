import { expect, test } from 'vitest'
import { NO_FAILURES, type Question } from '../../../src/sim/planner/question.ts'
import { mixedRegions } from '../../../src/sim/planner/regions.ts'
import { runOne } from '../../../src/sim/planner/run-one.ts'
import { SharedCores } from '../../../src/sim/planner/shared-cores.ts'

test('work takes the core that is free first, and waits where none is', () => {
  const cores = new SharedCores(2, 1)
  // a millisecond is 20 ticks
  expect([0, 0, 0, 5, 100].map((tick) => cores.work(tick))).toEqual([20, 20, 40, 40, 120])
})

test('stands still while work that goes first has the core, and takes the core where it is done first', () => {
  const header = new SharedCores(2, 2)
  expect([0, 0, 60].map((tick) => header.work(tick))).toEqual([40, 40, 100])
  const blocks = new SharedCores(2, 3, header)
  // one before and after what has its core from 60 on, one on the other core, which has done with it
  expect([5, 30, 90].map((tick) => blocks.work(tick))).toEqual([100, 140, 160])
})

const BITS = 10e9
const question = (bytes: number, machine: Question['machine']): Question => ({
  nodes: 30,
  regions: mixedRegions(['home'], new Map()),
  bytes,
  links: [{ share: 1, upBitsPerSecond: BITS, downBitsPerSecond: BITS }],
  gateways: 'any',
  borderBitsPerSecond: BITS,
  failures: NO_FAILURES,
  loss: 0,
  seed: 1,
  ...(machine && { machine }),
})

test.each([
  { what: 'in one message', bytes: 2_048, pieces: 1, of: 'messageMs' },
  { what: 'in 32 blocks, a manifest and a header', bytes: 8_388_608, pieces: 34, of: 'blockMs' },
])(
  'on one machine the last of 30 processes has a release $what after the CPU of all',
  ({ bytes, pieces, of }) => {
    const cores = 2
    const pieceMs = 10
    // what the other kind of release takes is not asked for
    const machine = { cores, messageMs: 1_000, blockMs: 1_000, [of]: pieceMs }
    const { timesMs } = runOne(question(bytes, machine), () => {})
    const allMs = (30 * pieces * pieceMs) / cores
    expect(timesMs.length).toBe(30)
    expect(timesMs.at(-1)).toBeGreaterThanOrEqual(allMs)
    // idle only while there is nothing to do: before the first copies are there
    expect(timesMs.at(-1)).toBeLessThan(allMs + 10 * pieceMs)
    const alone = runOne(question(bytes, undefined), () => {}).timesMs.at(-1) as number
    expect(alone).toBeLessThan(allMs / 2)
  },
)
