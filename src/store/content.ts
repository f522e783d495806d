import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader } from '../codec/header.ts'
import { decodePage } from '../codec/page.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'

export interface Content {
  readonly pages: readonly Digest[]
  /** Blocks named by the pages that are here. */
  readonly blocks: readonly Digest[]
  /** A page is not here (yet), so that `blocks` may be short. */
  readonly partial: boolean
}

/** Everything a release is made of, as far as its pages are here. @param envelope of a release */
export async function contentOf(
  envelope: Uint8Array,
  readPage: (digest: Digest) => Promise<Uint8Array | undefined>,
  limits: Limits,
): Promise<Content> {
  const { payload } = decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits)
  const { pages } = decodeHeader(payload, limits).header
  const blocks = new Set<Digest>()
  let partial = false
  for (const digest of pages) {
    const page = await readPage(digest)
    if (page === undefined) partial = true
    else
      for (const { blocks: refs } of decodePage(page, limits)) for (const ref of refs) blocks.add(ref.digest)
  }
  return { pages, blocks: [...blocks], partial }
}
