/**
 * A small release travels with its content: all pages, then all blocks, in manifest order, each once. A larger one with
 * its pages alone while they are few, so that nobody has to fetch them before the first block.
 */
import { sha256 } from '../codec/digest.ts'
import { encodeReleaseGossip } from '../codec/gossip.ts'
import { ManifestReader } from '../codec/manifest.ts'
import { decodePage } from '../codec/page.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { Release } from '../model/release.ts'

export type Attached =
  | { readonly kind: 'none' }
  /** Every digest checked; together the whole release. */
  | { readonly kind: 'whole'; readonly content: ReadonlyMap<Digest, Uint8Array> }
  /** Every page, checked against its digest and as one manifest; no block. */
  | { readonly kind: 'manifest'; readonly content: ReadonlyMap<Digest, Uint8Array> }
  /** Over a limit of ours: the release counts, what is attached does not. */
  | { readonly kind: 'unusable'; readonly code: Code; readonly text: string }
  /** The message alone proves that the sender, or the publisher, is at fault. */
  | { readonly kind: 'wrong'; readonly code: Code; readonly text: string }

/** Digests of a manifest's blocks in its order, each once. `pages` are decoded and checked as one manifest. */
export function blocksOf(release: Release, pages: readonly Uint8Array[], limits: Limits): readonly Digest[] {
  const reader = new ManifestReader(release.header, limits)
  const blocks = new Set<Digest>()
  for (const bytes of pages) {
    const page = decodePage(bytes, limits)
    reader.add(page)
    for (const entry of page) for (const block of entry.blocks) blocks.add(block.digest)
  }
  reader.end()
  return [...blocks]
}

export function checkAttached(release: Release, attached: readonly Uint8Array[], limits: Limits): Attached {
  if (attached.length === 0) return { kind: 'none' }
  const wanted = [...new Set(release.header.pages)]
  const pages = wanted.length
  const content = new Map<Digest, Uint8Array>()
  const mismatch: Attached = {
    kind: 'wrong',
    code: 'CONTENT_DIGEST',
    text: 'the attached content is not that of the release, or not in its order',
  }
  for (const [i, bytes] of attached.entries()) {
    const digest = sha256(bytes)
    if (digest !== wanted[i]) return mismatch
    content.set(digest, bytes)
    if (i + 1 !== wanted.length || i >= release.header.pages.length) continue
    try {
      const manifest = release.header.pages.map((page) => content.get(page) as Uint8Array)
      for (const block of blocksOf(release, manifest, limits)) if (!content.has(block)) wanted.push(block)
    } catch (error) {
      if (!isMeshError(error)) throw error
      const kind = error.code.startsWith('LIMIT_') ? 'unusable' : 'wrong'
      return { kind, code: error.code, text: error.message }
    }
  }
  if (attached.length !== wanted.length)
    return attached.length === pages ? { kind: 'manifest', content } : mismatch
  if (sizeOf(attached) <= limits.maxInlineBytes) return { kind: 'whole', content }
  const text = `more than ${limits.maxInlineBytes} bytes of content attached`
  return { kind: 'unusable', code: 'LIMIT_BYTES', text }
}

/**
 * The gossip message of a release: with its content while the whole is small enough for one flight of packets, with its
 * manifest while that is small enough for two.
 * @param manifest all its pages in order, where they were kept
 */
export function releaseGossip(
  release: Release,
  envelope: Uint8Array,
  content: ReadonlyMap<Digest, Uint8Array>,
  manifest: readonly Uint8Array[] | undefined,
  limits: Limits,
): { readonly bytes: Uint8Array; readonly whole: boolean } {
  const attached = inOrder(release, content, limits)
  const whole = attached && encodeReleaseGossip({ envelope, attached })
  if (whole !== undefined && whole.length <= limits.maxInlineBytes) return { bytes: whole, whole: true }
  const alone = { bytes: encodeReleaseGossip({ envelope, attached: [] }), whole: false }
  if (manifest === undefined || sizeOf(manifest) > limits.maxManifestGossipBytes) return alone
  const pages = [
    ...new Map(release.header.pages.map((digest, at) => [digest, manifest[at]] as const)).values(),
  ]
  const bytes = encodeReleaseGossip({ envelope, attached: pages.filter((page) => page !== undefined) })
  return bytes.length <= limits.maxManifestGossipBytes ? { bytes, whole: false } : alone
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0)

function inOrder(
  release: Release,
  content: ReadonlyMap<Digest, Uint8Array>,
  limits: Limits,
): Uint8Array[] | undefined {
  let total = 0
  for (const bytes of content.values()) total += bytes.length
  if (total > limits.maxInlineBytes) return undefined
  const found: Uint8Array[] = []
  const pages: Uint8Array[] = []
  for (const digest of release.header.pages) {
    const bytes = content.get(digest)
    if (bytes === undefined) return undefined
    pages.push(bytes)
  }
  for (const digest of new Set([...release.header.pages, ...blocksOf(release, pages, limits)])) {
    const bytes = content.get(digest)
    if (bytes === undefined) return undefined
    found.push(bytes)
  }
  return found
}
