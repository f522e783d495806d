/** Who is there is looked at where that decides something, and what nobody could give goes on to count as lacking. */
import { expect, it, vi } from 'vitest'
import { Disk } from '../../../src/core/fetch/disk.ts'
import { FetchJob } from '../../../src/core/fetch/job.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { complain, stuck } from '../../../src/core/fetch/stuck.ts'
import type { AdmittedSession } from '../../../src/core/session.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { Bench } from '../core-peers/fakes.ts'

const MS = 30_000

/** Of its channel nobody is there who could give it. */
function lacking(isAwaited = true) {
  const bench = new Bench()
  const header = { channel: 'app/web', pages: ['p'.repeat(64)] }
  const job = new FetchJob({ id: 'e'.repeat(64), header } as unknown as Release, false, 0, LIMITS)
  job.missing.add('p'.repeat(64) as Digest)
  const look = vi.fn((): readonly AdmittedSession[] => [])
  const texts: string[] = []
  const hooks = {
    failed: (...[, , , , text]: readonly [unknown, unknown, unknown, unknown, string]) => texts.push(text),
    isAwaited: () => isAwaited,
    lacks: () => {},
    ended: () => {},
  }
  const stuckFor = (ms: number) => stuck([job], new Sources(LIMITS), new Disk(), bench.now.monoMs, ms)
  const tick = (ms: number) => {
    bench.pass(ms)
    let over: readonly FetchJob[] = []
    bench.run((step) => {
      over = complain(step, stuckFor(MS), hooks, look, MS)
    })
    return over
  }
  return { job, look, texts, tick, stuckFor }
}

it('of what is awaited and was said nobody is looked at', () => {
  const { look, texts, tick } = lacking()
  for (let second = 0; second < 60; second += 1) expect(tick(1_000)).toEqual([])
  expect(texts).toHaveLength(1)
  expect(look).toHaveBeenCalledTimes(1)
})

it('what nobody who is there could give counts as lacking on: full seeds are asked for it', () => {
  const { job, tick, stuckFor } = lacking(false)
  expect(tick(35_000)).toEqual([])
  expect(stuckFor(LIMITS.redialMaxMs)).toEqual([job])
})
