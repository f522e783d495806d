/** A link so slow that sixteen blocks at once are all cut off at the deadline: the node learns it, and they come. */
import { expect, test, vi } from 'vitest'
import { Patience } from '../../../src/core/fetch/patience.ts'
import { Tempo } from '../../../src/core/fetch/tempo.ts'
import { WantWindow } from '../../../src/core/fetch/want-window.ts'
import type { Asked } from '../../../src/core/fetch/wants.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, type Want } from './fetcher.ts'

const BLOCKS = 30
const BLOCK_BYTES = 150 * 1024
/** 1 Mbit/s. */
const BYTES_PER_MS = 125
const LINE_MS = (BLOCKS * BLOCK_BYTES) / BYTES_PER_MS
const STEP_MS = 50

const neighbours = Array.from({ length: 15 }, (_, at) => peer(`n${at}`))

interface Open {
  readonly want: Want
  readonly untilMs: number
  bytes: number
}

/** All neighbours have all; what they send shares the link. */
function fetched(mostMs: number) {
  const node = fetcher({
    blocks: BLOCKS,
    blockBytes: BLOCK_BYTES,
    self: peer('nobody'),
    neighbours,
    seeds: [],
  })
  for (const want of node.announce(OTHER, [0])) node.give(want)
  const open: Open[] = []
  const had = new Set<string>()
  let ms = 0
  let thrownAway = 0
  const ask = (wants: readonly Want[]) => {
    for (const want of wants) open.push({ want, untilMs: ms + LIMITS.blockDeadlineMs, bytes: 0 })
  }
  const all = node.digests.map((_, at) => at + 1)
  for (const from of [OTHER, ...neighbours]) ask(node.announce(from, all))
  while (had.size < BLOCKS && ms < mostMs) {
    ms += STEP_MS
    for (const each of open) each.bytes += (STEP_MS * BYTES_PER_MS) / open.length
    ask(node.tick(STEP_MS))
    for (const each of [...open]) {
      const { want, bytes, untilMs } = each
      const isHere = bytes >= BLOCK_BYTES
      if (!isHere && untilMs > ms) continue
      open.splice(open.indexOf(each), 1)
      if (isHere && !had.has(want.digest)) had.add(want.digest)
      else thrownAway += bytes
      ask(isHere ? node.give(want) : node.timedOut(want.id, bytes > 0))
    }
  }
  return { had: had.size, ms, thrownAway }
}

test('each block comes: once the first are cut off hardly any of them in vain', () => {
  const { had, ms, thrownAway } = fetched(4 * LINE_MS)
  expect(had).toBe(BLOCKS)
  expect(ms).toBeLessThan(1.5 * LINE_MS + 2 * LIMITS.blockDeadlineMs)
  // What was under way until the first were cut off, and some of it twice.
  expect(thrownAway).toBeLessThan(2.5 * LIMITS.blockDeadlineMs * BYTES_PER_MS)
})

test.each([
  ['that are dead', false, 0],
  ['of which bytes came', true, 4],
])('neighbours %s teach what they teach', (_, alive, lessons) => {
  const learnt = vi.spyOn(WantWindow.prototype, 'arrived')
  const node = fetcher({ self: peer('nobody'), neighbours })
  for (const want of node.announce(OTHER, [0])) node.give(want)
  const all = node.digests.map((_digest, at) => at + 1)
  const asked = neighbours.flatMap((from) => node.announce(from, all))
  expect(asked).toHaveLength(4)
  for (let ms = 0; ms < LIMITS.blockDeadlineMs; ms += STEP_MS) node.tick(STEP_MS)
  learnt.mockClear()
  for (const { id } of asked) node.timedOut(id, alive)
  expect(learnt).toHaveBeenCalledTimes(lessons)
  learnt.mockRestore()
})

test('one that is late while another gives teaches nothing: the way is not to blame', () => {
  const patience = new Patience(LIMITS)
  const tempo = new Tempo(LIMITS, patience, () => 0)
  const isOpen = (underWay: number) => tempo.isOpen('near', underWay, false, 0)
  const late = { way: 'near', sinceMonoMs: 0, silent: true } as Asked
  tempo.came({ way: 'near', sinceMonoMs: 0 } as Asked, 3, 10)
  tempo.cutOff(late, 3, LIMITS.blockDeadlineMs)
  expect(patience.silenceMs('near', 0)).toBe(LIMITS.blockSilenceMs)
  expect(isOpen(4)).toBe(true)
  tempo.cutOff({ ...late, sinceMonoMs: 11 }, 3, LIMITS.blockDeadlineMs + 11)
  expect(patience.silenceMs('near', 0)).toBe(LIMITS.blockDeadlineMs / 2)
  expect([isOpen(1), isOpen(2)]).toEqual([true, false])
})

test('a node that stood still itself learns nothing of the way, and doubts nobody for longer than until the deadline', () => {
  const patience = new Patience(LIMITS)
  const tempo = new Tempo(LIMITS, patience, () => 0)
  const isOpen = (underWay: number) => tempo.isOpen('near', underWay, false, 0)
  const { blockDeadlineMs, repairMs } = LIMITS
  const late = { way: 'near', sinceMonoMs: 0, silent: true } as Asked
  tempo.cutOff(late, 3, blockDeadlineMs + repairMs + 1)
  expect(patience.silenceMs('near', 0)).toBe(LIMITS.blockSilenceMs)
  expect(isOpen(3)).toBe(true)
  tempo.cutOff(late, 3, blockDeadlineMs + repairMs)
  expect(patience.silenceMs('near', 0)).toBe(blockDeadlineMs / 2)
  expect([isOpen(1), isOpen(2)]).toEqual([true, false])
  expect(patience.doubtMs).toBe(blockDeadlineMs)
  // A block that came long ago, when this node was busy until now.
  const others = new Patience(LIMITS)
  for (let times = 0; times < 100; times += 1) others.answered(10 * blockDeadlineMs, 'near')
  expect(others.busyMs).toBe(LIMITS.blockSilenceMs)
  for (let times = 0; times < 20; times += 1) others.answered(10, 'near')
  expect(others.busyMs).toBeLessThan(blockDeadlineMs / 40)
})
