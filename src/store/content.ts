import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader } from '../codec/header.ts'
import { decodePage } from '../codec/page.ts'
import type { Limits } from '../limits.ts'
import { PAYLOAD_TYPES } from '../model/envelope.ts'
import type { Digest } from '../model/ids.ts'

export interface Content {
  readonly pages: readonly Digest[]
  /** Blocks named by the pages that are here. */
  readonly blocks: readonly Digest[]
  /** A page is not here (yet), so that `blocks` may be short. */
  readonly partial: boolean
}

/** Digests of the manifest's pages; none where the envelope holds no release. */
function pagesOf(envelope: Uint8Array, limits: Limits): readonly Digest[] {
  const { payload, payloadType } = decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits)
  return payloadType === PAYLOAD_TYPES.release ? decodeHeader(payload, limits).header.pages : []
}

/** Everything a release is made of, as far as its pages are here. */
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
    else
      for (const { blocks: refs } of decodePage(page, limits)) for (const ref of refs) blocks.add(ref.digest)
  }
  return { pages, blocks: [...blocks], partial }
}
