/** Beacon pages: what a seed says of each channel, cut so that a node fetches only those of its own channels. */
import { encodeBeaconPage } from '../codec/beacon.ts'
import { channelHash, sha256 } from '../codec/digest.ts'
import type { Limits } from '../limits.ts'
import type { BeaconEntry, BeaconPage, ChannelHash } from '../model/beacon.ts'
import type { Digest } from '../model/ids.ts'
import type { ChannelFacts, Journey } from './journey.ts'

/** First `bits` bits (≤ 8) of a channel's hash: its page. */
export const pageIndex = (hash: ChannelHash, bits: number): number =>
  Number.parseInt(hash.slice(0, 2), 16) >>> (8 - bits)

/** k of 2^k pages; undefined where the number is no power of two or above 2^maxBits. */
export function pageBits(pages: number, maxBits: number): number | undefined {
  for (let bits = 0; bits <= maxBits; bits += 1) if (2 ** bits === pages) return bits
  return undefined
}

const entryOf = ({ channel, floor, held }: ChannelFacts): BeaconEntry => ({
  channel: channelHash(channel),
  top: floor.top,
  target: held ? 'held' : (floor.ids[0] ?? 'none'),
})

function cut(entries: readonly BeaconEntry[], bits: number): BeaconEntry[][] {
  const pages: BeaconEntry[][] = Array.from({ length: 2 ** bits }, () => [])
  for (const entry of entries) pages[pageIndex(entry.channel, bits)]?.push(entry)
  return pages
}

/** The least k with no page above `maxBeaconEntries`; at the greatest k a page may be longer. */
function paginate(entries: readonly BeaconEntry[], limits: Limits): BeaconPage[] {
  for (let bits = 0; bits < limits.maxBeaconPageBits; bits += 1) {
    const pages = cut(entries, bits)
    if (pages.every(({ length }) => length <= limits.maxBeaconEntries)) return pages
  }
  return cut(entries, limits.maxBeaconPageBits)
}

export interface SignedPage {
  readonly digest: Digest
  readonly bytes: Uint8Array
  readonly page: BeaconPage
}

/**
 * Pages over all durable channels; equal seeds make equal bytes. A floor whose release is not here (a kill between its
 * file and its batch, a lost store) says nothing: nobody can have that release from us, and perhaps nobody has it.
 */
export function buildPages(journey: Pick<Journey, 'channels' | 'envelope'>, limits: Limits): SignedPage[] {
  const isHere = ({ floor }: ChannelFacts) => floor.ids.every((id) => journey.envelope(id) !== undefined)
  const entries: BeaconEntry[] = []
  for (const facts of journey.channels())
    if (facts.stored && facts.durable && isHere(facts)) entries.push(entryOf(facts))
  entries.sort((a, b) => (a.channel < b.channel ? -1 : 1))
  return paginate(entries, limits).map((page) => {
    const bytes = encodeBeaconPage(page)
    return { digest: sha256(bytes), bytes, page }
  })
}
