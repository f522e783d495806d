import { expect, test } from 'vitest'
import { Sources } from '../../../src/core/sources.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'

const A = peer('A')
const B = peer('B')
const release = (n: number): ReleaseId => n.toString(16).padStart(64, '0') as ReleaseId
const lastPlace = { whole: false, ranges: [(1 << 20) - 1, 1] }

test('a peer that announces blocks of releases nobody knows is remembered for a few of them', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(1), B, lastPlace)
  for (let n = 1; n <= 1_000; n += 1) sources.announced(release(n), A, lastPlace)
  const kept = Array.from({ length: 1_000 }, (_, at) => release(at + 1)).filter((id) =>
    sources.of(id).has(A, (1 << 20) - 1),
  )
  expect(kept).toEqual(
    Array.from({ length: LIMITS.maxAnnouncedInPart }, (_, at) =>
      release(1_001 - LIMITS.maxAnnouncedInPart + at),
    ),
  )
  expect(sources.of(release(1)).has(B, (1 << 20) - 1)).toBe(true)
})

test('having everything costs no bitmap and is remembered of many', () => {
  const sources = new Sources(LIMITS)
  for (let n = 1; n <= 100; n += 1) sources.announced(release(n), A, { whole: true })
  expect(sources.of(release(1)).isWhole(A)).toBe(true)
})

test('announcements of releases that do not exist do not drive out what is being fetched', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(0), A, { whole: true })
  for (let n = 1; n < 10_000; n += 1) {
    sources.announced(release(n), B, { whole: true })
    // The fetch looks several times a second.
    if (n % 500 === 0) expect(sources.of(release(0)).any).toBe(true)
  }
  expect(sources.of(release(1)).any).toBe(false)
})
