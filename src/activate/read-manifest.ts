import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader } from '../codec/header.ts'
import { ManifestReader } from '../codec/manifest.ts'
import { decodePage } from '../codec/page.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import type { BlockRef, ManifestEntry } from '../model/manifest.ts'
import type { StorePort } from '../runtime/ports.ts'

export type ContentStore = Pick<StorePort, 'readBlock' | 'readEnvelope'>

export const contentGone = (what: string): MeshError =>
  new MeshError('CONTENT_GONE', `${what} is not (or no longer) in the store; it is fetched from peers again`)

/**
 * Every file of a release, ascending by path, each once with all its blocks. The manifest is checked here again
 * as a whole (paths, collisions, sums) because the next step writes it to disk.
 *
 * @throws MeshError CONTENT_GONE where envelope or page is not stored; CODEC_*, CONTENT_PATH, LIMIT_*
 */
export async function readManifest(
  store: ContentStore,
  release: ReleaseId,
  pages: readonly Digest[] | undefined,
  limits: Limits,
): Promise<readonly ManifestEntry[]> {
  const envelope = await store.readEnvelope(release)
  if (envelope === undefined) throw contentGone(`the header of release ${release.slice(0, 12)}`)
  const { header } = decodeHeader(decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits).payload, limits)
  if (pages !== undefined && pages.join() !== header.pages.join())
    throw new MeshError(
      'CODEC_MALFORMED',
      `release ${release.slice(0, 12)}: other pages than its header names`,
    )
  const reader = new ManifestReader(header, limits)
  const files: ManifestEntry[] = []
  for (const digest of header.pages) {
    const bytes = await store.readBlock(digest)
    if (bytes === undefined) throw contentGone(`manifest page ${digest.slice(0, 12)}`)
    const page = decodePage(bytes, limits)
    reader.add(page)
    for (const entry of page) append(files, entry)
  }
  reader.end()
  return files
}

/** A file that goes on in the next page is one file. */
function append(files: ManifestEntry[], entry: ManifestEntry): void {
  const last = files.at(-1)
  if (last?.path !== entry.path) return void files.push(entry)
  const blocks: readonly BlockRef[] = [...last.blocks, ...entry.blocks]
  files[files.length - 1] = { ...last, blocks }
}
