/**
 * Beacon pages that follow from the page before and from what is stored here. Most of what a beacon says anew is the
 * release that this node has just got: without this each of them would make the whole fleet fetch a page, and the first
 * to ask would ask the seed.
 */
import type { Limits } from '../../limits.ts'
import type { BeaconEntry, ChannelHash } from '../../model/beacon.ts'
import type { Digest } from '../../model/ids.ts'
import type { ChannelHashes } from '../channel-hashes.ts'
import type { Journey } from '../journey.ts'
import type { BeaconCache } from './beacon-cache.ts'
import type { BeaconKeys } from './beacon-keys.ts'
import { entryOf, isSameEntry, signedPage } from './beacon-pages.ts'

type Entries = ReadonlyMap<ChannelHash, BeaconEntry>

/** Earlier pages that are tried for one digest: keys that lag behind have others. */
const MAX_TRIES = 3

export class DerivedPages {
  readonly #keys: BeaconKeys
  readonly #pages: BeaconCache
  readonly #hashes: ChannelHashes
  readonly #maxEntries: number

  constructor(keys: BeaconKeys, pages: BeaconCache, hashes: ChannelHashes, { maxBeaconEntries }: Limits) {
    this.#keys = keys
    this.#pages = pages
    this.#hashes = hashes
    this.#maxEntries = maxBeaconEntries
  }

  /** True: the page of this digest is at hand now. Its digest proves it, as it does a page that somebody sends. */
  make(journey: Pick<Journey, 'channel' | 'envelope'>, digest: Digest): boolean {
    for (const before of this.#before(digest)) if (this.#follows(journey, digest, before)) return true
    return false
  }

  #follows(journey: Pick<Journey, 'channel' | 'envelope'>, digest: Digest, before: Entries): boolean {
    let isNews = false
    const page = [...before.values()].map((entry) => {
      const own = this.#own(journey, entry.channel) ?? entry
      isNews ||= !isSameEntry(own, entry)
      return own
    })
    if (!isNews) return false
    const made = signedPage(page)
    if (made.digest !== digest) return false
    this.#pages.put(digest, made.bytes, page)
    return true
  }

  #own(journey: Pick<Journey, 'channel' | 'envelope'>, hash: ChannelHash): BeaconEntry | undefined {
    const channel = this.#hashes.nameOf(hash)
    const facts = channel === undefined ? undefined : journey.channel(channel)
    return facts === undefined ? undefined : entryOf(journey, facts, this.#hashes)
  }

  /**
   * The latest pages that keys had in the place of this one and that are at hand, of those that name it. A longer page than
   * seeds make is left alone: whoever stole a key would have every node work through it once for each digest that he makes up.
   */
  #before(digest: Digest): ReadonlySet<Entries> {
    const found = new Set<Entries>()
    for (const { beacon, pages } of this.#keys.all()) {
      const at = beacon.pages.indexOf(digest)
      if (at < 0) continue
      for (const earlier of pages) {
        const known = earlier.length === beacon.pages.length ? earlier[at] : undefined
        const entries = known === undefined ? undefined : this.#pages.entries(known)
        if (entries === undefined || entries.size > this.#maxEntries) continue
        found.add(entries)
        if (found.size === MAX_TRIES) return found
        break
      }
    }
    return found
  }
}
