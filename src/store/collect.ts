import type { Digest, ReleaseId } from '../model/ids.ts'
import { cachedBytes } from '../runtime/ports.ts'

/** Digests looked at in one go. */
const SLICE = 4_096

export interface CollectInput {
  /** Every release stored with its pages, oldest first. */
  readonly releases: ReadonlyMap<ReleaseId, readonly Digest[]>
  /** The pages that are here, with the blocks that each of them names. */
  readonly named: ReadonlyMap<Digest, readonly Digest[]>
  readonly keep: ReadonlySet<ReleaseId>
  /** Those whose pages, where one is missing, are on their way here. */
  readonly awaited: Iterable<ReleaseId>
  /** Every block stored, with its size. */
  readonly sizes: ReadonlyMap<Digest, number>
  /** Blocks that an upload under way names, or that came since the collection began: never taken for nobody's. */
  readonly fresh: ReadonlySet<Digest>
  /** Of `cachedBytes`. */
  readonly maxCacheBytes: number
}

export interface Collection {
  /** No longer whole. */
  readonly releases: readonly ReleaseId[]
  /** Blocks of theirs alone. */
  readonly blocks: readonly Digest[]
  /** Blocks that no release here names. */
  readonly orphans: readonly Digest[]
}

/** How many need a digest: as a page, and as a block of pages that some release has. A page counts once, whoever shares it. */
class Uses {
  readonly #named: CollectInput['named']
  readonly #pages = new Map<Digest, number>()
  readonly #uses = new Map<Digest, number>()

  constructor(named: CollectInput['named']) {
    this.#named = named
  }

  has(digest: Digest): boolean {
    return this.#uses.has(digest)
  }

  /** Of one release more. @returns how many digests were looked at */
  add(page: Digest): number {
    const before = this.#pages.get(page) ?? 0
    this.#pages.set(page, before + 1)
    if (before > 0) return 1
    const digests = this.#of(page)
    for (const digest of digests) this.#uses.set(digest, (this.#uses.get(digest) ?? 0) + 1)
    return digests.length
  }

  /** Of one release less. @returns what nobody needs any more */
  *remove(page: Digest): Generator<Digest> {
    const left = (this.#pages.get(page) ?? 0) - 1
    this.#pages.set(page, left)
    if (left > 0) return
    for (const digest of this.#of(page)) {
      const others = (this.#uses.get(digest) ?? 0) - 1
      this.#uses.set(digest, others)
      if (others === 0) yield digest
    }
  }

  #of(page: Digest): readonly Digest[] {
    return [page, ...(this.#named.get(page) ?? [])]
  }
}

/**
 * What must go so that the cache fits its bound: first blocks that no release here names, then releases nobody
 * keeps, oldest first, with the blocks only they use. Cache is all that is neither kept nor under way.
 *
 * It yields now and then: a store of many releases is a long turn.
 */
export function* planCollection(input: CollectInput): Generator<undefined, Collection> {
  const { releases, named, keep, awaited, sizes, fresh, maxCacheBytes } = input
  let looked = 0
  const isLong = (more = 1): boolean => {
    looked += more
    if (looked < SLICE) return false
    looked = 0
    return true
  }
  const [uses, kept] = [new Uses(named), new Uses(named)]
  for (const [release, pages] of releases) {
    const isKept = keep.has(release)
    for (const page of pages) if (isLong(uses.add(page) + (isKept ? kept.add(page) : 0))) yield
  }

  // While a release that is coming lacks a page, a block nobody seems to name may be one of its own. What is kept and not
  // fetched, a head beside the target say, would hold up everything for good.
  const isRead = (release: ReleaseId): boolean =>
    releases.get(release)?.every((page) => named.has(page)) === true
  const complete = [...awaited].every(isRead)
  const isOrphan = (digest: Digest): boolean => complete && !uses.has(digest) && !fresh.has(digest)
  const isCache = (digest: Digest): boolean =>
    !kept.has(digest) && !fresh.has(digest) && (uses.has(digest) || isOrphan(digest))
  let cacheBytes = 0
  for (const [digest, size] of sizes) {
    if (isCache(digest)) cacheBytes += cachedBytes(size, 1)
    if (isLong()) yield
  }

  const orphans: Digest[] = []
  const blocks: Digest[] = []
  const drop = (digest: Digest, from: Digest[]): void => {
    const size = sizes.get(digest)
    if (size === undefined) return
    cacheBytes -= cachedBytes(size, 1)
    from.push(digest)
  }
  for (const digest of sizes.keys()) {
    if (cacheBytes <= maxCacheBytes) break
    if (isOrphan(digest)) drop(digest, orphans)
    if (isLong()) yield
  }
  const dropped: ReleaseId[] = []
  for (const [release, pages] of releases) {
    if (cacheBytes <= maxCacheBytes) break
    if (isLong()) yield
    if (keep.has(release)) continue
    dropped.push(release)
    for (const page of pages)
      for (const digest of uses.remove(page)) if (!fresh.has(digest)) drop(digest, blocks)
  }
  return { releases: dropped, blocks, orphans }
}

/** The same in one turn. */
export function planAtOnce(input: CollectInput): Collection {
  const plan = planCollection(input)
  for (;;) {
    const { done, value } = plan.next()
    if (done === true) return value
  }
}
