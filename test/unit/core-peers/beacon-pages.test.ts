import { expect, test } from 'vitest'
import { decodeBeaconPage, encodeBeaconPage } from '../../../src/codec/beacon.ts'
import { channelHash, sha256 } from '../../../src/codec/digest.ts'
import { ChannelHashes } from '../../../src/core/channel-hashes.ts'
import {
  BeaconPages,
  hasRoomForMore,
  MAX_ENTRY_BYTES,
  pageIndex,
} from '../../../src/core/freshness/beacon-pages.ts'
import type { ChannelFacts } from '../../../src/core/journey.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Name, ReleaseId } from '../../../src/model/ids.ts'

const releaseOf = (text: string) => sha256(new TextEncoder().encode(text)) as string as ReleaseId

/** Facts of so many channels, each at its first release. */
function fleetOf(count: number) {
  const facts = Array.from({ length: count }, (_, at) => {
    const channel = `app/c-${at}` as Channel
    const top = { epoch: 1, counter: 1, publisher: 'alice' }
    const floor = { channel, top, ids: [releaseOf(channel)] }
    return { channel, floor, held: false, stored: true, durable: true } as unknown as ChannelFacts
  })
  const missing = new Set<ReleaseId>()
  const journey = {
    channels: () => facts,
    envelope: (id: ReleaseId) => (missing.has(id) ? undefined : new Uint8Array(1)),
  }
  return { facts, missing, journey }
}
const pagesOf = () => new BeaconPages(new ChannelHashes(), LIMITS)

test.each([
  [0, 1],
  [200, 1],
  [300, 2],
  [20_000, 128],
])('%i channels lie on %i pages: each once, in order, where its hash says', (count, expected) => {
  const { facts, journey } = fleetOf(count)
  const pages = pagesOf().build(journey)
  expect(pages).toHaveLength(expected)
  for (const [at, { digest, bytes, page }] of pages.entries()) {
    expect(sha256(bytes)).toBe(digest)
    expect(decodeBeaconPage(bytes, LIMITS)).toEqual(page)
    const hashes = page.map(({ channel }) => channel)
    expect(hashes).toEqual([...hashes].sort())
    for (const hash of hashes) expect(pageIndex(hash, Math.log2(expected))).toBe(at)
  }
  const all = pages.flatMap(({ page }) => page.map(({ channel }) => channel))
  expect(all.sort()).toEqual(facts.map(({ channel }) => channelHash(channel)).sort())
})

test('a page is made anew where it says something else, and only there: as one that begins now would make it', () => {
  const { facts, missing, journey } = fleetOf(2_000)
  const pages = pagesOf()
  const first = pages.build(journey)
  expect(pages.build(journey).every((page, at) => page === first[at])).toBe(true)
  const [next, held, gone] = facts as [ChannelFacts, ChannelFacts, ChannelFacts]
  facts[0] = { ...next, floor: { ...next.floor, top: { ...next.floor.top, counter: 2 } } } as ChannelFacts
  facts[1] = { ...held, held: true }
  missing.add(gone.floor.ids[0] as ReleaseId)
  const second = pages.build(journey)
  expect(second.map(({ digest }) => digest)).toEqual(
    pagesOf()
      .build(journey)
      .map(({ digest }) => digest),
  )
  const bits = Math.log2(first.length)
  const changed = new Set([next, held, gone].map(({ channel }) => pageIndex(channelHash(channel), bits)))
  for (const [at, page] of second.entries()) expect(page === first[at]).toBe(!changed.has(at))
})

test('a page is no longer than a block, nor of more values than a document may have: the first of its channels are on it', () => {
  const { facts, journey } = fleetOf(300)
  const hashes = facts.map(({ channel }) => channelHash(channel)).sort()
  const build = (limits: Partial<Limits>) => {
    const all = { ...LIMITS, maxBeaconPageBits: 0, ...limits }
    const pages = new BeaconPages(new ChannelHashes(), all)
    const [only] = pages.build(journey)
    expect(decodeBeaconPage(only?.bytes as Uint8Array, all)).toEqual(only?.page)
    expect(only?.page.map(({ channel }) => channel)).toEqual(hashes.slice(0, only?.page.length))
    expect(pages.build(journey)[0]).toBe(only)
    return { length: only?.page.length ?? 0, leftOut: pages.leftOut() }
  }
  expect(build({})).toEqual({ length: 300, leftOut: 0 })
  const full = build({ maxBlockBytes: 10_000 })
  expect([full.length > 100, full.length + full.leftOut]).toEqual([true, 300])
  expect(build({ maxItems: 1_500 })).toEqual({ length: 214, leftOut: 86 })
  // However many this seed would have on a page: what was set here says nothing of how long they are.
  expect(build({ maxBlockBytes: 10_000, maxBeaconEntries: 10_000 })).toEqual(full)
  expect(build({ maxItems: 1_500, maxBeaconEntries: 10_000 })).toEqual({ length: 214, leftOut: 86 })
})

test('no entry is longer than what counts as room for one', () => {
  const most = Number.MAX_SAFE_INTEGER
  const top = { epoch: most, counter: most, publisher: 'p'.repeat(63) as Name }
  const channel = channelHash('app/c' as Channel)
  const alone = encodeBeaconPage([{ channel, top, target: releaseOf('longest') }])
  expect(alone).toHaveLength(1 + MAX_ENTRY_BYTES)
})

test.each<[string, Partial<Limits>]>([
  ['bytes', { maxBlockBytes: 10_000 }],
  ['values', { maxItems: 1_500 }],
])('a page that was cut has no room for more, by %s; one that was not has', (_what, limits) => {
  const all = { ...LIMITS, maxBeaconPageBits: 0, ...limits }
  const roomOf = (count: number) => {
    const [only] = new BeaconPages(new ChannelHashes(), all).build(fleetOf(count).journey)
    return hasRoomForMore(only?.bytes.length ?? 0, only?.page.length ?? 0, all)
  }
  expect([0, 50].map(roomOf)).toEqual([true, true])
  expect([300, 301, 302].map(roomOf)).toEqual([false, false, false])
})
