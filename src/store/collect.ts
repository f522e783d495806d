import type { Digest, ReleaseId } from '../model/ids.ts'
import type { Content } from './content.ts'

export interface CollectInput {
  /** Every release stored, oldest first. */
  readonly releases: readonly { readonly release: ReleaseId; readonly content: Content }[]
  readonly keep: ReadonlySet<ReleaseId>
  /** Those whose pages, where one is missing, are on their way here. */
  readonly awaited: ReadonlySet<ReleaseId>
  /** Every block stored, with its size. */
  readonly sizes: ReadonlyMap<Digest, number>
  /** Blocks that an upload under way names, or that came since the collection began: never taken for nobody's. */
  readonly fresh: ReadonlySet<Digest>
  readonly maxCacheBytes: number
}

export interface Collection {
  /** No longer whole. */
  readonly releases: readonly ReleaseId[]
  readonly blocks: readonly Digest[]
}

/**
 * What must go so that the cache fits its bound: first blocks that no release here names, then releases nobody
 * keeps, oldest first, with the blocks only they use. Cache is all that is neither kept nor under way.
 */
export function planCollection(input: CollectInput): Collection {
  const { releases, keep, awaited, sizes, fresh, maxCacheBytes } = input
  const uses = new Map<Digest, number>()
  const kept = new Set<Digest>()
  const named = ({ pages, blocks }: Content): ReadonlySet<Digest> => new Set([...pages, ...blocks])
  for (const { release, content } of releases)
    for (const digest of named(content)) {
      uses.set(digest, (uses.get(digest) ?? 0) + 1)
      if (keep.has(release)) kept.add(digest)
    }

  // While a release that is coming lacks a page, a block nobody seems to name may be one of its own. What is kept and not
  // fetched, a head beside the target say, would hold up everything for good.
  const read = new Set(releases.flatMap(({ release, content }) => (content.partial ? [] : [release])))
  const complete = [...awaited].every((release) => read.has(release))
  const isOrphan = (digest: Digest): boolean => complete && !uses.has(digest) && !fresh.has(digest)
  const isCache = (digest: Digest): boolean =>
    !kept.has(digest) && !fresh.has(digest) && (uses.has(digest) || isOrphan(digest))
  let cacheBytes = 0
  for (const [digest, size] of sizes) if (isCache(digest)) cacheBytes += size

  const gone: Digest[] = []
  const drop = (digest: Digest): void => {
    cacheBytes -= sizes.get(digest) ?? 0
    if (sizes.has(digest)) gone.push(digest)
  }

  for (const digest of sizes.keys()) {
    if (cacheBytes <= maxCacheBytes) break
    if (isOrphan(digest)) drop(digest)
  }

  const dropped: ReleaseId[] = []
  for (const { release, content } of releases) {
    if (cacheBytes <= maxCacheBytes) break
    if (keep.has(release)) continue
    dropped.push(release)
    for (const digest of named(content)) {
      const left = (uses.get(digest) ?? 0) - 1
      uses.set(digest, left)
      if (left === 0 && !fresh.has(digest)) drop(digest)
    }
  }
  return { releases: dropped, blocks: gone }
}
