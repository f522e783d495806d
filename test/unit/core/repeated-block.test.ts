/** Damaged content is read through: what a manifest names a thousand times, as of a file full of zeros, is read once. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { FetchJob } from '../../../src/core/fetch/job.ts'
import type { Journey } from '../../../src/core/journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, make, PEER } from './fleet.ts'

const BLOCK_BYTES = 16
const zeros = new Uint8Array(BLOCK_BYTES)
const others = Array.from({ length: 20 }, (_, at) => new TextEncoder().encode(`${at}`.padEnd(BLOCK_BYTES)))
/** Of each file a page. */
const files = ['a.img', 'b.img'].map((path, half) => {
  const blocks = others.slice(10 * half, 10 * half + 10).flatMap((other) => [...Array(50).fill(zeros), other])
  const refs = blocks.map((block) => ({ digest: sha256(block), size: BLOCK_BYTES }))
  const size = BLOCK_BYTES * blocks.length
  return { path, mode: 0o444 as const, size, digest: sha256(Buffer.concat(blocks)), blocks: refs }
})
const pages = files.map((file) => encodePage([file]))
const bytes = files.reduce((sum, { size }) => sum + size, 0)
const made = make({
  clock: { alice: 1 },
  header: { pages: pages.map((page) => sha256(page)), files: files.length, bytes },
})
const content = new Map([...pages, zeros, ...others].map((each) => [sha256(each), each]))

it('in every page and block once, never more than eight at a time', () => {
  const node = new BenchNode()
  node.start()
  node.inside((step, journey) =>
    journey.ingestWhole(step, made.envelope, content, { via: 'submit', peer: PEER }),
  )
  node.run({ kind: 'persisted', ticket: 1 })
  const read: Digest[] = []
  const open: Digest[] = []
  let [most, whole] = [0, 0]
  const take = (effects: readonly Effect[]): void => {
    for (const { digest } of ofKind(effects, 'read')) {
      read.push(digest)
      open.push(digest)
    }
    most = Math.max(most, open.length)
    const writes = ofKind(effects, 'persist').flatMap((persist) => persist.writes)
    whole += writes.filter(({ kind }) => kind === 'whole').length
  }
  const outcome = { kind: 'failed', code: 'CONTENT_GONE', text: 'a block is not in the store' } as const
  take(node.run({ kind: 'activated', channel: CHANNEL, release: made.id, outcome }))
  for (let digest = open.shift(); digest !== undefined; digest = open.shift())
    take(node.run({ kind: 'blockRead', digest, bytes: content.get(digest) }))
  expect(read.toSorted()).toEqual([...content.keys()].toSorted())
  expect(most).toBe(8)
  expect(whole).toBe(1)
})

it('in pages that are equal, each of which is one with the others: what comes after them is known for a block', () => {
  const refs = Array.from({ length: 10 }, () => ({ digest: sha256(zeros), size: BLOCK_BYTES }))
  const size = 3 * 10 * BLOCK_BYTES
  const page = encodePage([
    { path: 'zeros.img', mode: 0o444, size, digest: sha256(new Uint8Array(size)), blocks: refs },
  ])
  const digests = Array.from({ length: 3 }, () => sha256(page))
  const { release } = make({ clock: { alice: 1 }, header: { pages: digests, files: 1, bytes: size } })
  const limits = { ...LIMITS, maxPageBytes: page.length, maxBlockBytes: page.length + BLOCK_BYTES }
  const job = new FetchJob(release, false, 0, limits)
  const blocks = digests.flatMap(() => job.takePage({ hasBlock: () => false } as unknown as Journey, page))
  expect(blocks).toEqual([sha256(zeros)])
  expect(job.misfit(sha256(page), page.length)).toBeUndefined()
  expect(job.misfit(sha256(zeros), BLOCK_BYTES)).toBeUndefined()
  expect(job.misfit(sha256(zeros), BLOCK_BYTES + 1)).toMatchObject({ code: 'LIMIT_CONTENT' })
})
