import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader } from '../codec/header.ts'
import { decodePage } from '../codec/page.ts'
import { isMeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'

interface Content {
  readonly pages: readonly Digest[]
  /** Blocks named by the pages that are here. */
  readonly blocks: readonly Digest[]
  /** A page is not here (yet), so that `blocks` may be short. */
  readonly partial: boolean
}

/** Where stored records are read: whoever reads alone leaves what is damaged where it is. */
export interface ContentSource {
  hasBlock(digest: Digest): boolean
  readBlock(digest: Digest): Promise<Uint8Array | undefined>
  readEnvelope(release: ReleaseId): Promise<Uint8Array | undefined>
}

/**
 * What stored releases are made of, for one collection. Most releases of a channel share most of their pages, hence each
 * page is read once, and each digest is one text, whichever of them name it.
 */
export class Contents {
  readonly #limits: Limits
  readonly #digests = new Map<Digest, Digest>()
  readonly #releases = new Map<ReleaseId, readonly Digest[]>()
  readonly #named = new Map<Digest, readonly Digest[]>()
  readonly #lacking = new Set<ReleaseId>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Pages of each release, in the order in which they were read; one without an envelope is left out. */
  get releases(): ReadonlyMap<ReleaseId, readonly Digest[]> {
    return this.#releases
  }

  /** Pages that are here, with the blocks that they name. */
  get named(): ReadonlyMap<Digest, readonly Digest[]> {
    return this.#named
  }

  /** Releases of which a page was not here when it was last looked for. */
  get lacking(): ReadonlySet<ReleaseId> {
    return this.#lacking
  }

  /**
   * What was read before is not read again, but for pages that came meanwhile.
   * @param stop looked at before each release: what is read by then is all there will be
   */
  async read(releases: Iterable<ReleaseId>, source: ContentSource, stop?: AbortSignal): Promise<void> {
    for (const release of releases) {
      if (stop?.aborted === true) return
      const pages = this.#releases.get(release) ?? (await this.#open(release, source))
      if (pages === undefined) continue
      this.#releases.set(release, pages)
      this.#lacking.delete(release)
      for (const page of pages) if (!(await this.#isRead(page, source))) this.#lacking.add(release)
    }
  }

  async #isRead(page: Digest, source: ContentSource): Promise<boolean> {
    if (this.#named.has(page)) return true
    const bytes = source.hasBlock(page) ? await source.readBlock(page) : undefined
    if (bytes === undefined) return false
    // A page that cannot be read is the publisher's fault: no node fetches a block for it.
    this.#named.set(page, this.#shared(orNothing(() => blocksOf(bytes, this.#limits))))
    return true
  }

  /** One that was stored under higher limits, or by a newer build, counts as absent to the node: it names nothing, and goes. */
  async #open(release: ReleaseId, source: ContentSource): Promise<readonly Digest[] | undefined> {
    const envelope = await source.readEnvelope(release)
    if (envelope === undefined) return undefined
    return this.#shared(orNothing(() => pagesOf(envelope, this.#limits)))
  }

  /** Each digest once. */
  #shared(digests: readonly Digest[]): readonly Digest[] {
    return [...new Set(digests)].map((digest) => {
      const known = this.#digests.get(digest)
      if (known !== undefined) return known
      this.#digests.set(digest, digest)
      return digest
    })
  }
}

function orNothing(read: () => readonly Digest[]): readonly Digest[] {
  try {
    return read()
  } catch (error) {
    if (isMeshError(error)) return []
    throw error
  }
}

/** @param envelope of a release */
export function pagesOf(envelope: Uint8Array, limits: Limits): readonly Digest[] {
  const { payload } = decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits)
  return decodeHeader(payload, limits).header.pages
}

/**
 * Limits may be lower by now than when it was stored: nothing that is kept must go for that as what nobody names. What the page
 * takes decoded is bounded by its items, as many as are built in at the least; how long it is cannot matter, it is in memory.
 */
export const blocksOf = (page: Uint8Array, limits: Limits): readonly Digest[] =>
  decodePage(page, {
    ...limits,
    maxItems: Math.max(limits.maxItems, LIMITS.maxItems),
    maxDepth: Math.max(limits.maxDepth, LIMITS.maxDepth),
    maxPageBytes: page.length,
    ...UNBOUNDED,
  }).flatMap(({ blocks }) => blocks.map(({ digest }) => digest))

/** What a page says of its files costs nothing more to read. */
const UNBOUNDED = {
  maxBlockBytes: Number.MAX_SAFE_INTEGER,
  maxReleaseBytes: Number.MAX_SAFE_INTEGER,
  maxFiles: Number.MAX_SAFE_INTEGER,
  maxPathBytes: Number.MAX_SAFE_INTEGER,
}

/** Everything a release is made of, as far as its pages are here. @param envelope of a release */
export async function contentOf(
  envelope: Uint8Array,
  readPage: (digest: Digest) => Promise<Uint8Array | undefined>,
  limits: Limits,
): Promise<Content> {
  const pages = pagesOf(envelope, limits)
  const blocks = new Set<Digest>()
  let partial = false
  for (const digest of pages) {
    const page = await readPage(digest)
    if (page === undefined) partial = true
    else for (const block of blocksOf(page, limits)) blocks.add(block)
  }
  return { pages, blocks: [...blocks], partial }
}
