import { expect, test } from 'vitest'
import type { Digest, ReleaseId } from '../../../src/model/ids.ts'
import { type CollectInput, planCollection } from '../../../src/store/collect.ts'

const MANY = 10_000
const numbered = (name: string) => Array.from({ length: MANY }, (_, at) => `${name} ${at}` as Digest)
const NOTHING: CollectInput = {
  releases: new Map(),
  named: new Map(),
  keep: new Set(),
  awaited: [],
  sizes: new Map(),
  fresh: new Set(),
  maxCacheBytes: 0,
}

/** How often others have their turn. */
function turns(input: Partial<CollectInput>): number {
  const plan = planCollection({ ...NOTHING, ...input })
  for (let turns = 0; ; turns++) if (plan.next().done === true) return turns
}

test('a plan for many releases, many blocks of one page or many that none names is no long turn', () => {
  expect(turns({})).toBe(0)
  const releases = new Map(
    numbered('release').map((id) => [id as string as ReleaseId, [`page of ${id}` as Digest]]),
  )
  expect(turns({ releases, maxCacheBytes: 1 })).toBeGreaterThanOrEqual(2)
  const sizes = new Map(numbered('block').map((digest) => [digest, 1]))
  expect(turns({ sizes })).toBeGreaterThanOrEqual(4)
  const page = 'page' as Digest
  const named = new Map([[page, [...sizes.keys()]]])
  expect(turns({ releases: new Map([['one' as ReleaseId, [page]]]), named })).toBeGreaterThanOrEqual(1)
})
