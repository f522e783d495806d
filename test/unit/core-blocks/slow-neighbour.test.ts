/** A gateway that owes a block for long, and says other things meanwhile: it is short of cores, not dead. */
import { describe, expect, test, vi } from 'vitest'
import { Patience } from '../../../src/core/fetch/patience.ts'
import { MAX_SLOW, Sources } from '../../../src/core/fetch/sources.ts'
import { Tempo } from '../../../src/core/fetch/tempo.ts'
import type { Asked } from '../../../src/core/fetch/wants.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, ReleaseId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED } from './fetcher.ts'
import { link } from './links.ts'
import { server } from './server.ts'

const { blockSilenceMs, avoidPeerMs } = LIMITS
const A = peer('A')
const RELEASE = 'e'.repeat(64) as ReleaseId

/** Two gateways of a region beyond the seed's; the other one announces a block of its own, is asked for it, and owes it. */
function owed() {
  const fetch = fetcher({ seedRegion: 'us' })
  const { started, announce, give, digests, others } = fetch
  // The page, and what is this node's own to bring in.
  const open = started.length > 0 ? [...started] : announce(OTHER, [0])
  for (let want = open.shift(); want !== undefined; want = open.shift()) open.push(...give(want))
  const known = others[0]
  if (known === undefined) throw new Error('the other one is to bring nothing in')
  const asked = announce(OTHER, [digests.indexOf(known) + 1])
  expect(asked).toMatchObject([{ to: OTHER, digest: known }])
  const ofOthers = (wants: ReturnType<typeof fetch.tick>) =>
    wants.filter(({ to, digest }) => to === SEED && others.includes(digest))
  /** So long in steps; a word of the other's at the times that are said. */
  const pass = (ms: number, isWordAt: (atMs: number) => boolean) =>
    Array.from({ length: ms / 10 }, (_, at) => {
      if (isWordAt(at * 10)) fetch.spoke(OTHER)
      return ofOthers(fetch.tick(10))
    }).flat()
  return { ...fetch, asked, pass }
}

describe('a gateway that owes a block', () => {
  test('and says nothing is dead: its part is brought in by the next at once', () => {
    const { pass } = owed()
    expect(pass(blockSilenceMs - 10, () => false)).toEqual([])
    expect(pass(20, () => false)).not.toEqual([])
  })

  test('and says other things is slow: its part stays its own', () => {
    const { pass } = owed()
    expect(pass(blockSilenceMs + 20, (atMs) => atMs === blockSilenceMs - 50)).toEqual([])
  })

  test('and said something at first alone may have died since', () => {
    const { pass } = owed()
    expect(pass(blockSilenceMs + 20, (atMs) => atMs === blockSilenceMs / 2 - 10)).not.toEqual([])
  })
})

test('a block that comes late clears nothing: the next that is owed makes it silent', () => {
  const { asked, others, digests, announce, keep, pass } = owed()
  const [owes] = asked
  if (owes === undefined) throw new Error('nothing is asked of it')
  // Slow at first, and once more a second later.
  expect(pass(blockSilenceMs + avoidPeerMs + 50, () => true)).toEqual([])
  keep(owes)
  announce(OTHER, [digests.indexOf(others[1] as Digest) + 1])
  // Which is asked of it once it is left alone no more; before anybody asks for what nobody announces, one by one.
  expect(pass(3_000, () => true).length).toBeGreaterThan(others.length / 2)
})

test('a block that comes when its release is wanted no more ends the silence of whoever gives it', () => {
  const { asked, pass, stop, keep } = owed()
  pass(blockSilenceMs + 10, () => false)
  stop()
  const broke = vi.spyOn(Sources.prototype, 'brokeSilence')
  for (const owes of asked) keep(owes)
  expect(broke.mock.calls).toEqual([[OTHER]])
  broke.mockRestore()
})

test('who is slow is left alone as a silent one is, whatever it announces, but has not failed', () => {
  const sources = new Sources(LIMITS)
  sources.slow(A, 1_000)
  expect(sources.isAvoided(A, 1_000 + avoidPeerMs - 1)).toBe(true)
  expect(sources.isAvoided(A, 1_000 + avoidPeerMs)).toBe(false)
  expect([sources.counts(A), sources.fails(A), sources.isMute(A, 1_000)]).toEqual([false, false, false])
  sources.lacks({ release: RELEASE, peer: A, sinceMonoMs: 900, seed: false }, 1_000)
  sources.announced(RELEASE, A, { whole: true })
  expect(sources.isAvoided(A, 1_000 + avoidPeerMs - 1)).toBe(true)
  sources.gave({ release: RELEASE, peer: A, silent: true })
  expect(sources.counts(A)).toBe(true)
})

test('once it is not left alone any more for being slow, what it announces ends any other pause', () => {
  const sources = new Sources(LIMITS)
  sources.slow(A, 1_000)
  sources.lacks({ release: RELEASE, peer: A, sinceMonoMs: 60_000, seed: false }, 60_000)
  expect(sources.isAvoided(A, 60_001)).toBe(true)
  sources.announced(RELEASE, A, { whole: true })
  expect(sources.isAvoided(A, 60_001)).toBe(false)
})

test('a second time it takes a word in the latter half of the time since the first', () => {
  const sources = new Sources(LIMITS)
  sources.spoke(A, 1_900)
  expect(sources.isAtWork(A, 0, 2_000)).toBe(true)
  sources.slow(A, 2_000)
  expect(sources.isAtWork(A, 0, 3_000)).toBe(false)
  sources.spoke(A, 2_600)
  expect(sources.isAtWork(A, 0, 3_000)).toBe(true)
})

test('who is slow again and again, or was silent, is no more at work whatever it says, until it gives a block in time', () => {
  const sources = new Sources(LIMITS)
  let monoMs = 0
  const isAtWork = () => {
    monoMs += avoidPeerMs
    sources.spoke(A, monoMs - 1)
    return sources.isAtWork(A, monoMs - blockSilenceMs, monoMs)
  }
  for (let times = 0; times < MAX_SLOW; times += 1) {
    expect(isAtWork()).toBe(true)
    sources.slow(A, monoMs)
  }
  expect(isAtWork()).toBe(false)
  sources.gave({ release: RELEASE, peer: A, silent: true })
  expect(isAtWork()).toBe(false)
  sources.gave({ release: RELEASE, peer: A })
  expect(isAtWork()).toBe(true)
  sources.silent(A, monoMs)
  expect(isAtWork()).toBe(false)
})

test('whoever asks for a block, or announces one, has said something, if it is admitted', () => {
  const { journey, want, holds, spoke } = server()
  link(journey, 'a')
  link(journey, 'b')
  want(1, 'a')
  holds('b')
  holds('c')
  expect(spoke).toEqual(['a', 'b'])
})

describe('what a block that comes late from one neighbour says of all', () => {
  /** Blocks that are asked for one after another. @param gave how long each takes; what is silent by then is had of another first */
  function learnt(gave: readonly number[]): Patience {
    const patience = new Patience(LIMITS)
    const tempo = new Tempo(LIMITS, patience, () => 0)
    for (const [at, tookMs] of gave.entries()) {
      const sinceMonoMs = at * LIMITS.blockDeadlineMs
      const silenceMs = patience.silenceMs('near', 0)
      const silent = tookMs > silenceMs
      const first = { way: 'near', sinceMonoMs, silent } as Asked
      const second = { way: 'near', sinceMonoMs: sinceMonoMs + silenceMs } as Asked
      if (silent) tempo.came(second, 1, second.sinceMonoMs + QUICK_MS)
      tempo.came(first, 1, sinceMonoMs + tookMs)
    }
    return patience
  }
  const QUICK_MS = 20
  const quick = (many: number) => Array.from({ length: many }, () => QUICK_MS)

  test('is little, while others gave: the next that is silent is passed over as soon as before', () => {
    const patience = learnt([...quick(50), 9_900])
    expect(patience.silenceMs('near', 0)).toBeLessThan(blockSilenceMs * 1.15)
    expect(patience.rescueMs).toBeLessThan(blockSilenceMs * 2.3)
    expect(learnt([...quick(50), 9_900, ...quick(1)]).silenceMs('near', 0)).toBe(blockSilenceMs)
  })

  test('is all of it, where it comes from one in four: it is the host on which they are late', () => {
    const gave = Array.from({ length: 100 }, () => [...quick(3), 1_000]).flat()
    expect(learnt(gave).silenceMs('near', 0)).toBeGreaterThan(1_000)
  })

  test('and where nobody was quicker', () => {
    const patience = new Patience(LIMITS)
    const tempo = new Tempo(LIMITS, patience, () => 0)
    tempo.came({ way: 'near', sinceMonoMs: 0 } as Asked, 1, QUICK_MS)
    tempo.came({ way: 'near', sinceMonoMs: 1_000, silent: true } as Asked, 1, 4_000)
    expect(patience.silenceMs('near', 0)).toBeGreaterThan(1_000)
  })
})
