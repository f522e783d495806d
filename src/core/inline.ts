/** A small release travels with its content: all pages, then all blocks, in manifest order, each once, or nothing. */
import { sha256 } from '../codec/digest.ts'
import { encodeReleaseGossip } from '../codec/gossip.ts'
import { ManifestReader } from '../codec/manifest.ts'
import { decodePage } from '../codec/page.ts'
import { type Code, isMeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import { leastBuiltIn } from './release-bytes.ts'

export type Attached =
  | { readonly kind: 'none' }
  /** Every digest checked; together the whole release. */
  | { readonly kind: 'whole'; readonly content: ReadonlyMap<Digest, Uint8Array> }
  /**
   * Over a limit of ours: the release counts, what is attached does not. Checked: by the built-in limits it is the whole
   * release, and right for all who take so much.
   */
  | {
      readonly kind: 'unusable'
      readonly code: Code
      readonly text: string
      readonly isChecked: boolean
    }
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

/** What a limit that is set lower on this host makes unreadable is no lie: that is wrong by the built-in ones, too. */
export function checkAttached(release: Release, attached: readonly Uint8Array[], limits: Limits): Attached {
  const own = checkUnder(release, attached, limits)
  if (own.kind === 'none' || own.kind === 'whole' || own.code === 'CONTENT_DIGEST') return own
  const builtIn = checkUnder(release, attached, leastBuiltIn(limits))
  return builtIn.kind === 'wrong'
    ? builtIn
    : { ...own, kind: 'unusable', isChecked: builtIn.kind === 'whole' }
}

function checkUnder(release: Release, attached: readonly Uint8Array[], limits: Limits): Attached {
  if (attached.length === 0) return { kind: 'none' }
  const wanted = [...new Set(release.header.pages)]
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
      const pages = release.header.pages.map((page) => content.get(page) as Uint8Array)
      for (const block of blocksOf(release, pages, limits)) if (!content.has(block)) wanted.push(block)
    } catch (error) {
      if (!isMeshError(error)) throw error
      const { code, message: text } = error
      return code.startsWith('LIMIT_')
        ? { kind: 'unusable', code, text, isChecked: false }
        : { kind: 'wrong', code, text }
    }
  }
  return attached.length === wanted.length ? { kind: 'whole', content } : mismatch
}

/** Of a message with content attached: whoever takes less than it has leaves that all out, and passes nothing on. */
export const inlineBytes = ({ maxInlineBytes }: Limits): number =>
  Math.min(maxInlineBytes, LIMITS.maxInlineBytes)

/** The gossip message of a release: with its content while the whole is small enough for one flight of packets. */
export function releaseGossip(
  release: Release,
  envelope: Uint8Array,
  content: ReadonlyMap<Digest, Uint8Array>,
  limits: Limits,
): Uint8Array {
  const alone = encodeReleaseGossip({ envelope, attached: [] })
  const attached = inOrder(release, content, limits)
  if (attached === undefined) return alone
  const bytes = encodeReleaseGossip({ envelope, attached })
  return bytes.length <= inlineBytes(limits) ? bytes : alone
}

/** As they are attached; undefined where one lacks, or all of them are too much. */
export function inOrder(
  release: Release,
  content: ReadonlyMap<Digest, Uint8Array>,
  limits: Limits,
): Uint8Array[] | undefined {
  let total = 0
  for (const bytes of content.values()) total += bytes.length
  if (total > inlineBytes(limits)) return undefined
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
