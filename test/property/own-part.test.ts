/** What a node is to bring in is the same whether it is reckoned page by page or all at once, and no page has it reckoned anew. */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { Entrants } from '../../src/core/fetch/entry.ts'
import type { FetchJob } from '../../src/core/fetch/job.ts'
import { OwnParts } from '../../src/core/fetch/own-part.ts'
import { Sources } from '../../src/core/fetch/sources.ts'
import { Views } from '../../src/core/fetch/views.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import { link } from '../unit/core-blocks/links.ts'
import { configOf, FakeJourney, peer } from '../unit/core-peers/fakes.ts'

const SELF = peer('self')
const gateways = [SELF, ...['a', 'b', 'c'].map(peer)]
const digestOf = (at: number): Digest => sha256(new TextEncoder().encode(`block ${at}`))

/** A release of so many pages of which nothing is read yet. */
function reading(pages: number) {
  const digests = Array.from({ length: pages }, (_, at) => digestOf(-1 - at))
  const job = { release: { header: { pages: [...digests] } }, digests, needed: 0, missing: new Set(digests) }
  let read = 0
  const page = (blocks: number) => {
    for (let left = blocks; left > 0; left -= 1) {
      digests.push(digestOf(digests.length))
      job.missing.add(digests.at(-1) as Digest)
    }
    read += 1
  }
  Object.defineProperty(job, 'nextPage', { get: () => job.release.header.pages[read] })
  return { page, job: job as unknown as FetchJob }
}

function looking(self = SELF) {
  const journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, gateways)
  link(journey, 'neighbour', { region: journey.region })
  const config = configOf({ self })
  const look = (parts: OwnParts, job: FetchJob, monoMs: number) => {
    const part = parts.look(journey, job, [...journey.admitted()], { monoMs, wallMs: 0 })
    return { places: [...part.left()], size: part.size, entrants: part.entrants.peers }
  }
  const partsOf = () => new OwnParts(config, new Sources(LIMITS), new Views(config))
  return { journey, look, partsOf }
}

const page = fc.record({
  /** Up to three in all are brought in by one node. */
  blocks: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 40 })),
  /** Which gateways there are, this node always. */
  others: fc.oneof({ weight: 3, arbitrary: fc.constant(7) }, fc.integer({ min: 0, max: 7 })),
})

test('reckoned page by page it is what it is all at once, while gateways come and go', () => {
  fc.assert(
    fc.property(fc.array(page, { minLength: 1, maxLength: 8 }), (pages) => {
      const { journey, look, partsOf } = looking()
      const { job, page: comes } = reading(pages.length)
      const parts = partsOf()
      for (const [at, { blocks, others }] of pages.entries()) {
        const named = gateways.filter((_, which) => which === 0 || (others & (1 << (which - 1))) !== 0)
        journey.gatewaysOf.set(journey.region, named)
        comes(blocks)
        // A view of the gateways is looked up anew by then.
        const monoMs = at * 1_000
        const known = look(parts, job, monoMs)
        // That the last page named nothing new has never been a reason to look again.
        if (blocks > 0 || at === 0) expect(known).toEqual(look(partsOf(), job, monoMs))
      }
    }),
  )
})

test('the last page of a release of very few blocks has all of them brought in by one node, those known before among them', () => {
  const sizes = gateways.map((self) => {
    const { look, partsOf } = looking(self)
    const { job, page: comes } = reading(2)
    const parts = partsOf()
    comes(0)
    look(parts, job, 0)
    comes(LIMITS.singleEntryBlocks - 2)
    return look(parts, job, 0).size
  })
  expect(sizes.sort()).toEqual([0, 0, 0, LIMITS.singleEntryBlocks])
})

test('of each block it is reckoned once who brings it in, however many pages there are', () => {
  const looks = vi.spyOn(Entrants.prototype, 'fetcher')
  const { journey, look, partsOf } = looking()
  const { job, page: comes } = reading(50)
  const parts = partsOf()
  for (let read = 0; read < 50; read += 1) {
    comes(20)
    look(parts, job, 0)
    look(parts, job, 0)
  }
  expect(job.digests).toHaveLength(50 + 50 * 20)
  expect(looks).toHaveBeenCalledTimes(job.digests.length)
  // Another set of gateways has it all reckoned anew.
  journey.gatewaysOf.set(journey.region, gateways.slice(0, 2))
  look(parts, job, 1_000)
  expect(looks).toHaveBeenCalledTimes(2 * job.digests.length)
  looks.mockRestore()
})
