import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Digest, ReleaseId } from '../../src/model/ids.ts'
import { cachedBytes } from '../../src/runtime/ports.ts'
import { planAtOnce } from '../../src/store/collect.ts'

/** By numbers: pages, some of which are here, with the blocks that they name; and releases, which share them. */
const pages = fc.array(
  fc.record({ isHere: fc.boolean(), blocks: fc.uniqueArray(fc.nat(9), { maxLength: 4 }) }),
  {
    minLength: 4,
    maxLength: 4,
  },
)
const release = fc.record({
  id: fc.nat(5),
  has: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 2 }),
  kept: fc.boolean(),
  coming: fc.boolean(),
})
const world = fc.record({
  pages,
  releases: fc.uniqueArray(release, { selector: ({ id }) => id, maxLength: 5 }),
  here: fc.uniqueArray(fc.nat(9)),
  fresh: fc.uniqueArray(fc.nat(9)),
  maxCached: fc.nat(12),
})

const idOf = (id: number) => `release ${id}` as ReleaseId
const pageOf = (page: number) => `page ${page}` as Digest
const blockOf = (block: number) => `block ${block}` as Digest

test('nothing that is needed is collected, and what is not goes until the cache fits', () => {
  fc.assert(
    fc.property(world, ({ pages, releases: made, here, fresh, maxCached }) => {
      const releases = made.map((of) => ({
        ...of,
        lacks: of.has.some((page) => pages[page]?.isHere !== true),
        blocks: of.has.flatMap((page) => (pages[page]?.isHere === true ? (pages[page]?.blocks ?? []) : [])),
      }))
      const pagesOf = ({ has }: (typeof releases)[number]) => has.map(pageOf)
      const stored = pages.flatMap(({ isHere }, page) => (isHere ? [pageOf(page)] : []))
      const sizes = new Map([...stored, ...here.map(blockOf)].map((digest) => [digest, 1]))
      const plan = planAtOnce({
        releases: new Map(releases.map((of) => [idOf(of.id), pagesOf(of)])),
        named: new Map(
          pages.flatMap(({ isHere, blocks }, page): [Digest, Digest[]][] =>
            isHere ? [[pageOf(page), blocks.map(blockOf)]] : [],
          ),
        ),
        keep: new Set(releases.filter(({ kept }) => kept).map(({ id }) => idOf(id))),
        awaited: new Set(releases.filter(({ kept, coming }) => kept && coming).map(({ id }) => idOf(id))),
        sizes,
        fresh: new Set(fresh.map(blockOf)),
        maxCacheBytes: cachedBytes(maxCached, maxCached),
      })
      const gone = new Set([...plan.orphans, ...plan.blocks])
      for (const of of releases.filter(({ kept }) => kept)) {
        for (const page of pagesOf(of)) expect(gone).not.toContain(page)
        expect(plan.releases).not.toContain(idOf(of.id))
        for (const block of of.blocks) expect(gone).not.toContain(blockOf(block))
      }
      // What no page names may be of a release that is coming, or of an upload.
      const named = new Set(releases.flatMap((of) => [...pagesOf(of), ...of.blocks.map(blockOf)]))
      const isComing = releases.some(({ kept, coming, lacks }) => kept && coming && lacks)
      const spared = [...sizes.keys()].filter((digest) => !named.has(digest))
      const freshBlocks = new Set(fresh.map(blockOf))
      if (isComing) for (const block of spared) expect(gone).not.toContain(block)
      // Nor what an upload names, whatever release names it as well.
      for (const block of freshBlocks) expect(gone).not.toContain(block)
      // And nothing else holds anything up.
      const kept = releases.filter((of) => of.kept)
      const needed = new Set<Digest>(kept.flatMap((of) => [...pagesOf(of), ...of.blocks.map(blockOf)]))
      const cache = [...sizes.keys()].filter((digest) => !needed.has(digest) && !freshBlocks.has(digest))
      const left = cache.filter((digest) => !gone.has(digest)).length
      if (!isComing) expect(left).toBeLessThanOrEqual(maxCached)
      // What may be of one that is coming costs no other its place.
      const unnamed = new Set(isComing ? spared : [])
      if (cache.filter((digest) => !unnamed.has(digest)).length <= maxCached)
        expect(plan.releases).toEqual([])
    }),
    { numRuns: 500 },
  )
})
