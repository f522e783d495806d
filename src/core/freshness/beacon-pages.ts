/** Beacon pages: what a seed says of each channel, cut so that a node fetches only those of its own channels. */
import { encodeBeaconPage } from '../../codec/beacon.ts'
import { sha256 } from '../../codec/digest.ts'
import type { Limits } from '../../limits.ts'
import type { BeaconEntry, BeaconPage, ChannelHash } from '../../model/beacon.ts'
import type { Digest } from '../../model/ids.ts'
import { comparePlaces } from '../../model/place.ts'
import type { ChannelHashes } from '../channel-hashes.ts'
import type { ChannelFacts, Journey } from '../journey.ts'

/** First `bits` bits (≤ 8) of a channel's hash: its page. */
export const pageIndex = (hash: ChannelHash, bits: number): number =>
  Number.parseInt(hash.slice(0, 2), 16) >>> (8 - bits)

/** k of 2^k pages; undefined where the number is no power of two or above 2^maxBits. */
export function pageBits(pages: number, maxBits: number): number | undefined {
  for (let bits = 0; bits <= maxBits; bits += 1) if (2 ** bits === pages) return bits
  return undefined
}

/** How many of the first two digits of a hash there are. */
const FIRST_BYTES = 256
/** The head of a CBOR list is no longer, nor an entry, which has so many values, lists included. */
const LIST_HEAD_BYTES = 5
export const MAX_ENTRY_BYTES = 136
const ENTRY_ITEMS = 7

/** The least k with no page above `maxBeaconEntries`; at the greatest k a page may be as long as a block. */
function bitsFor(entries: readonly BeaconEntry[], { maxBeaconPageBits, maxBeaconEntries }: Limits): number {
  const counts = new Array<number>(FIRST_BYTES).fill(0)
  for (const { channel } of entries) counts[pageIndex(channel, 8)] = (counts[pageIndex(channel, 8)] ?? 0) + 1
  for (let bits = 0; bits < maxBeaconPageBits; bits += 1) {
    const sums = new Array<number>(2 ** bits).fill(0)
    for (const [first, count] of counts.entries())
      sums[first >>> (8 - bits)] = (sums[first >>> (8 - bits)] ?? 0) + count
    if (sums.every((sum) => sum <= maxBeaconEntries)) return bits
  }
  return maxBeaconPageBits
}

function cut(entries: readonly BeaconEntry[], bits: number): BeaconPage[] {
  const pages: BeaconEntry[][] = Array.from({ length: 2 ** bits }, () => [])
  for (const entry of entries) pages[pageIndex(entry.channel, bits)]?.push(entry)
  return pages.map((page) => page.sort((a, b) => (a.channel < b.channel ? -1 : 1)))
}

const mostEntries = ({ maxItems }: Limits): number => Math.floor((maxItems - 1) / ENTRY_ITEMS)

/** As many of the first as a block holds: a longer page nobody could fetch. Equal seeds leave out the same. */
function fitting(page: BeaconPage, limits: Limits): BeaconPage {
  const { maxBlockBytes } = limits
  const most = mostEntries(limits)
  let left = maxBlockBytes - LIST_HEAD_BYTES
  const tooMany = page.findIndex((entry, at) => {
    left -= encodeBeaconPage([entry]).length - 1
    return left < 0 || at >= most
  })
  return tooMany < 0 ? page : page.slice(0, tooMany)
}

/**
 * Not every page has: what its seed has beyond the last entry may have been left out. Whoever may publish many channels of
 * his own choice can fill a page, so that others are not on it.
 */
export const hasRoomForMore = (bytes: number, entries: number, limits: Limits): boolean =>
  bytes + LIST_HEAD_BYTES + MAX_ENTRY_BYTES <= limits.maxBlockBytes && entries < mostEntries(limits)

export const isSameEntry = (a: BeaconEntry, b: BeaconEntry | undefined): boolean =>
  a.channel === b?.channel && a.target === b.target && comparePlaces(a.top, b.top) === 0

/**
 * What is said of a channel. A floor whose release is not here (a kill between its file and its batch, a lost store) says
 * nothing: nobody can have that release from us, and perhaps nobody has it.
 */
export function entryOf(
  journey: Pick<Journey, 'envelope'>,
  { channel, stored, durable, floor, held }: ChannelFacts,
  hashes: ChannelHashes,
): BeaconEntry | undefined {
  const isHere = stored && durable && floor.ids.every((id) => journey.envelope(id) !== undefined)
  if (!isHere) return undefined
  return { channel: hashes.of(channel), top: floor.top, target: held ? 'held' : (floor.ids[0] ?? 'none') }
}

export interface SignedPage {
  readonly digest: Digest
  readonly bytes: Uint8Array
  readonly page: BeaconPage
}

interface BuiltPage extends SignedPage {
  /** With what has no room. */
  readonly whole: BeaconPage
}

/**
 * Pages over all durable channels; equal seeds make equal bytes. A page that says what it said the last time is not made
 * anew: with 20,000 channels all 256 of them take a tenth of a second.
 */
export class BeaconPages {
  readonly #hashes: ChannelHashes
  readonly #limits: Limits
  #last: readonly BuiltPage[] = []

  constructor(hashes: ChannelHashes, limits: Limits) {
    this.#hashes = hashes
    this.#limits = limits
  }

  build(journey: Pick<Journey, 'channels' | 'envelope'>): readonly SignedPage[] {
    const entries = [...journey.channels()].flatMap((facts) => entryOf(journey, facts, this.#hashes) ?? [])
    const pages = cut(entries, bitsFor(entries, this.#limits))
    this.#last = pages.map((whole, at) => this.#known(whole, at) ?? { ...this.#signed(whole), whole })
    return this.#last
  }

  /** Channels that had no room on the pages built last. */
  leftOut(): number {
    return this.#last.reduce((sum, { page, whole }) => sum + whole.length - page.length, 0)
  }

  #known(whole: BeaconPage, at: number): BuiltPage | undefined {
    const last = this.#last[at]
    const isUnchanged =
      last?.whole.length === whole.length &&
      whole.every((entry, place) => isSameEntry(entry, last.whole[place]))
    return isUnchanged ? last : undefined
  }

  #signed(whole: BeaconPage): SignedPage {
    const signed = signedPage(whole)
    const { maxBlockBytes } = this.#limits
    if (signed.bytes.length <= maxBlockBytes && whole.length <= mostEntries(this.#limits)) return signed
    return signedPage(fitting(whole, this.#limits))
  }
}

export function signedPage(page: BeaconPage): SignedPage {
  const bytes = encodeBeaconPage(page)
  return { digest: sha256(bytes), bytes, page }
}
