/** Beacon pages in memory: what own channels are compared with, and what neighbours are served. */
import { decodeBeaconPage } from '../../codec/beacon.ts'
import { sha256 } from '../../codec/digest.ts'
import { type Code, isMeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { BeaconEntry, BeaconPage, ChannelHash } from '../../model/beacon.ts'
import type { Digest } from '../../model/ids.ts'
import { hasRoomForMore } from './beacon-pages.ts'

interface Page {
  readonly bytes: Uint8Array
  readonly entries: ReadonlyMap<ChannelHash, BeaconEntry>
  readonly last: ChannelHash | undefined
}

export class BeaconCache {
  readonly #pages = new Map<Digest, Page>()
  #totalBytes = 0

  has(digest: Digest): boolean {
    return this.#pages.has(digest)
  }

  bytes(digest: Digest): Uint8Array | undefined {
    return this.#pages.get(digest)?.bytes
  }

  entries(digest: Digest): ReadonlyMap<ChannelHash, BeaconEntry> | undefined {
    return this.#pages.get(digest)?.entries
  }

  /** True: it is at hand, and would name this channel if its seed had it. */
  tellsOf(digest: Digest, hash: ChannelHash, limits: Limits): boolean {
    const page = this.#pages.get(digest)
    if (page === undefined) return false
    const { bytes, entries, last } = page
    return (last !== undefined && hash <= last) || hasRoomForMore(bytes.length, entries.size, limits)
  }

  /** A page of our own making, or one that has been checked. */
  put(digest: Digest, bytes: Uint8Array, page: BeaconPage): void {
    if (this.#pages.has(digest)) return
    const entries = new Map(page.map((entry) => [entry.channel, entry]))
    this.#pages.set(digest, { bytes, entries, last: page.at(-1)?.channel })
    this.#totalBytes += bytes.length
  }

  /** One more might not find room. */
  isFull({ maxBlockBytes, maxBeaconPageBytes }: Limits): boolean {
    return this.#totalBytes + maxBlockBytes > maxBeaconPageBytes
  }

  /**
   * What a peer sent for this digest; it is let go where there is no more room, since several are asked for while there is
   * room for one.
   * @returns what is wrong with it
   */
  take(
    digest: Digest,
    bytes: Uint8Array,
    limits: Limits,
  ): { readonly code: Code; readonly text: string } | undefined {
    if (sha256(bytes) !== digest)
      return { code: 'BLOCK_DIGEST', text: 'a beacon page does not match its digest' }
    if (this.#totalBytes + bytes.length > limits.maxBeaconPageBytes) return undefined
    try {
      this.put(digest, bytes, decodeBeaconPage(bytes, limits))
      return undefined
    } catch (error) {
      if (!isMeshError(error)) throw error
      return { code: error.code, text: error.message }
    }
  }

  /** Forgets all but these. */
  keep(digests: ReadonlySet<Digest>): void {
    for (const [digest, { bytes }] of this.#pages) {
      if (digests.has(digest)) continue
      this.#pages.delete(digest)
      this.#totalBytes -= bytes.length
    }
  }
}
