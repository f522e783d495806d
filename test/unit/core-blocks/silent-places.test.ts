/** Seeds that take every question and answer none, as behind a way that swallows all: what they leave to others. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SELF, type Want } from './fetcher.ts'

const seedsOf = (count: number) => Array.from({ length: count }, (_, at) => peer(`seed${at}`))

/** All of it is this node's to bring in; one seed has given the page, and all are silent since. */
function swallowed(blocks: number, seeds: number, blockBytes = 0) {
  const fetch = fetcher({ blocks, seeds: seedsOf(seeds), gateways: [SELF], blockBytes })
  const asked = fetch.started.flatMap(fetch.give)
  return { ...fetch, asked }
}
const bytesOf = (wants: readonly Want[]) => wants.length * LIMITS.maxBlockBytes

test.each([
  {
    what: 'as many blocks as may be under way',
    blocks: 8 * LIMITS.maxWants,
    blockBytes: 0,
    most: LIMITS.maxWants,
  },
  { what: 'as many bytes', blocks: 264, blockBytes: LIMITS.maxBlockBytes, most: 32 },
])(
  '$what, asked of silent seeds, keep none from being asked of a neighbour once they count as silent',
  (each) => {
    const { asked, digests, announce, tick } = swallowed(each.blocks, 8, each.blockBytes)
    expect(asked).toHaveLength(each.most)
    const left = digests.length - 1
    expect(announce(OTHER, [left + 1])).toEqual([])
    tick(LIMITS.blockSilenceMs / 2)
    tick(LIMITS.blockSilenceMs / 2 - 1)
    expect(tick(1)).toContainEqual(expect.objectContaining({ to: OTHER, digest: digests[left] }))
  },
)

test('what may come late has its bound: of silent ones as much as of all others', () => {
  const { asked, announce, joined, tick } = swallowed(264, 4, LIMITS.maxBlockBytes)
  // Over a border: that seeds near are silent says nothing of the way there.
  const pass = (untilMs: number) => {
    for (let ms = 0; ms < untilMs; ms += 100) tick(100)
  }
  const { blockSilenceMs, borderSilenceMs, standMs } = LIMITS
  pass(blockSilenceMs)
  const far = seedsOf(8).slice(4)
  const more = far.flatMap((seed) => joined(seed, 'us'))
  // Twice as long for what is asked of a second one.
  pass(2 * (blockSilenceMs + borderSilenceMs) + standMs)
  expect([asked, more].map(bytesOf)).toEqual([LIMITS.maxWantBytes, LIMITS.maxWantBytes])
  expect(announce(OTHER, [264])).toEqual([])
})
