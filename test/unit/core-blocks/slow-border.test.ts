/** A border so slow that what is asked for at once is all cut off at the deadline: a node learns it, and the blocks come. */
import { describe, expect, test, vi } from 'vitest'
import { Patience, type Way } from '../../../src/core/fetch/patience.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { Tempo } from '../../../src/core/fetch/tempo.ts'
import type { Asked } from '../../../src/core/fetch/wants.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, SELF, type Want } from './fetcher.ts'

const BLOCKS = 30
const BLOCK_BYTES = 150 * 1024
/** 1 Mbit/s. */
const BYTES_PER_MS = 125
const LINE_MS = (BLOCKS * BLOCK_BYTES) / BYTES_PER_MS
const TRIP_MS = 300
const STEP_MS = 50

const abroad = Array.from({ length: 8 }, (_, at) => peer(`far${at}`))
const seed = peer('far seed')

interface Sent {
  readonly want: Want
  readonly fromMs: number
  readonly untilMs: number
  bytes: number
  /** Nobody waits for it any more: it is on its way all the same. */
  isCutOff: boolean
}

/** The only gateway of its region, fed over the border from wherever all is; what they send shares the way. */
function fetched(sources: Parameters<typeof fetcher>[0], bytesPerMs: number, mostMs: number) {
  const node = fetcher({
    blocks: BLOCKS,
    blockBytes: BLOCK_BYTES,
    gateways: [SELF],
    seedRegion: 'us',
    ...sources,
  })
  let sent: Sent[] = []
  const had = new Set<string>()
  let ms = 0
  let copies = 0
  const ask = (wants: readonly Want[]) => {
    for (const want of wants) {
      copies += 1
      sent.push({
        want,
        fromMs: ms + TRIP_MS,
        untilMs: ms + LIMITS.blockDeadlineMs,
        bytes: 0,
        isCutOff: false,
      })
    }
  }
  const [page] = node.started
  if (page === undefined) throw new Error('nobody is asked for the page')
  ask(node.give(page))
  while (had.size < BLOCKS && ms < mostMs) {
    ms += STEP_MS
    const moving = sent.filter(({ fromMs }) => fromMs <= ms)
    for (const one of moving) one.bytes += (STEP_MS * bytesPerMs) / moving.length
    ask(node.tick(STEP_MS))
    node.failed()
    for (const one of moving) {
      const { want, bytes, untilMs, isCutOff } = one
      if (bytes >= BLOCK_BYTES) {
        sent = sent.filter((other) => other !== one)
        if (isCutOff) continue
        had.add(want.digest)
        ask(node.give(want))
      } else if (!isCutOff && untilMs <= ms) {
        one.isCutOff = true
        ask(node.timedOut(want.id, bytes > 0))
      }
    }
  }
  return { had: had.size, ms, copies }
}

test.each([
  ['the gateways of another region', { abroad, seeds: [seed] }],
  ['a far seed', { seeds: [seed] }],
  ['several far seeds', { seeds: [seed, peer('b'), peer('c')] }],
])('over 1 Mbit/s from %s each block comes, and not many of them in vain', (_, sources) => {
  const { had, ms, copies } = fetched(sources, BYTES_PER_MS, 8 * LINE_MS)
  expect(had).toBe(BLOCKS)
  // What was asked for at first is cut off, and comes all the same.
  expect(ms).toBeLessThan(2.5 * LINE_MS)
  expect(copies).toBeLessThan(2.5 * BLOCKS)
})

test('over 1 Gbit/s all are asked for at once, and come once', () => {
  expect(fetched({ abroad, seeds: [seed] }, 125_000, LINE_MS)).toEqual({
    had: BLOCKS,
    ms: TRIP_MS,
    copies: BLOCKS,
  })
})

const { blockDeadlineMs, maxWants, maxWantsPerSeed, repairMs } = LIMITS
const silenceMs = LIMITS.blockSilenceMs + LIMITS.borderSilenceMs + LIMITS.standMs

/** How many may be under way. */
function sizeOf(tempo: Tempo, way: Way, monoMs = 0, isFew = false): number {
  let size = 0
  while (tempo.isOpen(way, size, isFew, monoMs)) size += 1
  return size
}
const border = { way: 'border', sinceMonoMs: 0 } as Asked

describe('where nothing comes', () => {
  test('until all count as silent one is asked for at a time, and as many as before once some have come', () => {
    const tempo = new Tempo(LIMITS, new Patience(LIMITS), () => 0)
    expect([sizeOf(tempo, 'border'), sizeOf(tempo, 'seed')]).toEqual([maxWants, maxWants])
    for (let times = 0; times < 3; times += 1) tempo.silent(border, 2_000)
    expect([sizeOf(tempo, 'border'), sizeOf(tempo, 'seed')]).toEqual([1, maxWants])
    const sizes = Array.from({ length: 6 }, (_, at) => {
      const underWay = sizeOf(tempo, 'border')
      const asked = { ...border, sinceMonoMs: 2_000 + at }
      for (let left = underWay; left > 0; left -= 1) tempo.came(asked, underWay - 1, 2_300 + at)
      return sizeOf(tempo, 'border')
    })
    expect(sizes).toEqual([2, 4, 8, 16, 32, 64])
  })

  test('but of one, it says nothing of the way; nor does a neighbour, ever', () => {
    const tempo = new Tempo(LIMITS, new Patience(LIMITS), () => 0)
    tempo.came({ ...border, sinceMonoMs: 0 }, 1, 300)
    tempo.silent(border, 2_000)
    tempo.cutOff(border, 1, blockDeadlineMs)
    tempo.silent({ ...border, way: 'near' }, 2_000)
    expect([sizeOf(tempo, 'border'), sizeOf(tempo, 'near')]).toEqual([maxWants, 4])
  })

  test('one that is late while what was asked for after it was not says nothing of the way', () => {
    const tempo = new Tempo(LIMITS, new Patience(LIMITS), () => 0)
    tempo.came({ ...border, sinceMonoMs: 1_000 }, 1, 1_150)
    tempo.came({ ...border, silent: true }, 0, 3_000)
    expect(sizeOf(tempo, 'border')).toBe(maxWants)
    tempo.came({ ...border, sinceMonoMs: 1_001, silent: true }, 0, 4_000)
    expect(sizeOf(tempo, 'border')).toBe(maxWants / 2)
  })

  test('one that is late at the end of a release leaves half of what may be under way, for the next one', () => {
    const tempo = new Tempo(LIMITS, new Patience(LIMITS), () => 0)
    tempo.came({ ...border, silent: true }, 0, 3_000)
    expect(sizeOf(tempo, 'border')).toBe(maxWants / 2)
  })

  test('a release of few blocks has one place more there, and waits for no other of neighbours', () => {
    const tempo = new Tempo(LIMITS, new Patience(LIMITS), () => 0)
    tempo.silent(border, 2_000)
    expect([sizeOf(tempo, 'border', 0, true), tempo.isOpen('near', 1_000, true, 0)]).toEqual([2, true])
  })

  test('not even of a single one, a node asks for nothing for a random while, and each time longer, until something comes', () => {
    const tempo = new Tempo(LIMITS, new Patience(LIMITS), () => 0.5)
    let monoMs = 0
    /** One is asked for, and cut off. @returns after how long the next may be asked for */
    const inVain = (): number => {
      const asked = { ...border, sinceMonoMs: monoMs }
      monoMs += blockDeadlineMs
      tempo.cutOff(asked, 0, monoMs)
      tempo.cutOff(asked, 0, monoMs)
      const fromMs = monoMs
      while (sizeOf(tempo, 'border', monoMs, true) === 0) monoMs += repairMs
      return (monoMs - fromMs) / blockDeadlineMs
    }
    expect(Array.from({ length: 5 }, inVain)).toEqual([0, 0.5, 1, 2, 2])
    const asked = { ...border, sinceMonoMs: monoMs }
    tempo.cutOff(asked, 0, monoMs + blockDeadlineMs)
    expect(sizeOf(tempo, 'border', monoMs + blockDeadlineMs)).toBe(0)
    tempo.came(asked, 0, monoMs + blockDeadlineMs + 1)
    expect(sizeOf(tempo, 'border', monoMs + blockDeadlineMs + 1)).toBe(1)
    monoMs += blockDeadlineMs + 2
    expect(inVain()).toBe(0.5)
  })
})

test('a seed asks seeds across a border for one at a time, too, once nothing came of them', () => {
  const node = fetcher({ submit: true, gateways: [], seeds: [seed, peer('b')], seedRegion: 'us', blocks: 60 })
  for (const page of node.started.slice(0, 1)) expect(node.give(page)).toHaveLength(2 * maxWantsPerSeed)
  for (let ms = 0; ms < silenceMs + LIMITS.avoidPeerMs; ms += STEP_MS) node.tick(STEP_MS)
  expect(node.joined(peer('d'), 'us')).toHaveLength(1)
})

test('a seed that gives something after all is no longer left alone for longer and longer', () => {
  const sources = new Sources(LIMITS)
  const silentFor = (monoMs: number) => {
    sources.silent(seed, monoMs)
    return [0.9, 1.1, 2.1].map((times) => sources.isAvoided(seed, monoMs + times * LIMITS.avoidPeerMs))
  }
  expect([silentFor(0), silentFor(20_000)]).toEqual([
    [true, false, false],
    [true, true, false],
  ])
  const broke = vi.spyOn(Sources.prototype, 'brokeSilence')
  const node = fetcher({ gateways: [SELF], seeds: [seed], seedRegion: 'us' })
  for (const page of node.started) node.give(page)
  expect(broke).toHaveBeenCalledWith(seed)
  broke.mockRestore()
  sources.brokeSilence(seed)
  expect(sources.counts(seed) && !sources.isMute(seed, 40_000) && !sources.fails(seed)).toBe(true)
  expect(silentFor(40_000)).toEqual([true, false, false])
})
