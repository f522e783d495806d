import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader } from '../codec/header.ts'
import { decodePage } from '../codec/page.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'

export interface Content {
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

interface Known {
  readonly pages: readonly Digest[]
  readonly blocks: Set<Digest>
  /** Pages that were not here when they were last looked for. */
  readonly missing: Set<Digest>
}

/** What stored releases are made of, for one collection: each envelope and page is read once, as soon as it is here. */
export class Contents {
  readonly #limits: Limits
  readonly #known = new Map<ReleaseId, Known>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** What was read before is not read again, but for pages that came meanwhile. One without an envelope is left out. */
  async read(
    releases: readonly ReleaseId[],
    source: ContentSource,
  ): Promise<readonly { readonly release: ReleaseId; readonly content: Content }[]> {
    const out: { release: ReleaseId; content: Content }[] = []
    for (const release of releases) {
      const known = this.#known.get(release) ?? (await this.#open(release, source))
      if (known === undefined) continue
      this.#known.set(release, known)
      const { pages, blocks, missing } = known
      for (const page of missing) {
        const bytes = source.hasBlock(page) ? await source.readBlock(page) : undefined
        if (bytes === undefined) continue
        missing.delete(page)
        for (const block of this.#named(bytes)) blocks.add(block)
      }
      out.push({ release, content: { pages, blocks: [...blocks], partial: missing.size > 0 } })
    }
    return out
  }

  /** One that was stored under higher limits, or by a newer build, counts as absent to the node: it names nothing, and goes. */
  async #open(release: ReleaseId, source: ContentSource): Promise<Known | undefined> {
    const envelope = await source.readEnvelope(release)
    if (envelope === undefined) return undefined
    const pages = orNothing(() => pagesOf(envelope, this.#limits))
    return { pages, blocks: new Set(), missing: new Set(pages) }
  }

  /** A page that cannot be read is the publisher's fault: no node fetches a block for it. */
  #named(page: Uint8Array): readonly Digest[] {
    return orNothing(() => blocksOf(page, this.#limits))
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

function pagesOf(envelope: Uint8Array, limits: Limits): readonly Digest[] {
  const { payload } = decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits)
  return decodeHeader(payload, limits).header.pages
}

const blocksOf = (page: Uint8Array, limits: Limits): readonly Digest[] =>
  decodePage(page, limits).flatMap(({ blocks }) => blocks.map(({ digest }) => digest))

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
