/** One submission under way: what has come of its content, and what is still asked for. Pure state, no effects. */

import { ManifestReader } from '../../codec/manifest.ts'
import { MeshError } from '../../errors.ts'
import { LIMITS, type Limits } from '../../limits.ts'
import type { Digest, PeerId } from '../../model/ids.ts'
import type { ManifestPage } from '../../model/manifest.ts'
import type { Release } from '../../model/release.ts'
import type { TrustRoot } from '../../model/root.ts'
import { epochOf } from '../../trust/epoch.ts'
import type { RequestId } from '../events.ts'
import { inlineBytes } from '../inline.ts'

/**
 * leasing → pages → reading → blocks → filling → finishing. `reading` takes the pages in order out of the store;
 * `filling` reads what is stored of a release small enough to travel with its own announcement.
 */
export type Phase = 'leasing' | 'pages' | 'reading' | 'blocks' | 'filling' | 'finishing'

/** No node orders it any more. */
export const isOfEnded = ({ channel, root: signedUnder }: Release['header'], root: TrustRoot): boolean =>
  signedUnder < epochOf(root, channel)

export class Upload {
  readonly release: Release
  readonly envelope: Uint8Array
  readonly peer: PeerId
  /** Host of the submitter's address: quotas count by it. */
  readonly host: string
  /** Who submitted it, or sent something of it, last: a publisher comes back as another peer. */
  sender: PeerId
  phase: Phase = 'leasing'
  /** Requests that get the next `need`. */
  waiting: RequestId[] = []
  /** Digests asked for and not here yet. */
  readonly need = new Set<Digest>()
  /** Asked for after these, unless it is here by then. */
  lacking: Digest[] = []
  /** Content small enough to be attached to the announcement, or undefined once it is not. */
  content: Map<Digest, Uint8Array> | undefined = new Map()
  #contentBytes: number
  readonly #maxInlineBytes: number
  /** Digests asked for at once: whoever submits reads no more than is built in, however many this seed would name. */
  readonly #maxNeed: number
  /** Blocks the manifest names, with their sizes, in manifest order. */
  readonly sizes = new Map<Digest, number>()
  stagedBytes = 0
  /** Of those, when it was submitted again last. */
  resumedBytes = 0
  /** Writes under way. */
  writing = 0
  readonly reads = new Set<Digest>()
  progressMonoMs: number
  #reader: ManifestReader
  #pagesRead = 0

  constructor(
    release: Release,
    envelope: Uint8Array,
    from: { readonly peer: PeerId; readonly host: string; readonly monoMs: number },
    limits: Limits,
  ) {
    this.release = release
    this.envelope = envelope
    this.peer = from.peer
    this.host = from.host
    this.sender = from.peer
    this.progressMonoMs = from.monoMs
    this.#contentBytes = envelope.length
    this.#maxInlineBytes = inlineBytes(limits)
    this.#maxNeed = Math.min(limits.maxNeed, LIMITS.maxNeed)
    this.#reader = new ManifestReader(release.header, limits)
    if (envelope.length + release.header.bytes > this.#maxInlineBytes) this.content = undefined
  }

  get nextPage(): Digest | undefined {
    return this.release.header.pages[this.#pagesRead]
  }

  /** @throws MeshError CODEC_MALFORMED, CONTENT_PATH, LIMIT_CONTENT: the release must not be taken. */
  addPage(page: ManifestPage): void {
    this.#reader.add(page)
    this.#pagesRead += 1
    for (const { blocks } of page)
      for (const { digest, size } of blocks) {
        const known = this.sizes.get(digest)
        if (known !== undefined && known !== size)
          throw new MeshError('LIMIT_CONTENT', `manifest: block ${digest.slice(0, 12)} has two sizes`)
        this.sizes.set(digest, size)
      }
    if (this.nextPage === undefined) this.#reader.end()
  }

  /** Bytes of what the pages name and is not here. */
  lackingBytes(isHere: (digest: Digest) => boolean): number {
    let bytes = 0
    for (const [digest, size] of this.sizes) if (!isHere(digest)) bytes += size
    return bytes
  }

  /**
   * The next digests to ask for; none where all has come. Looked at only now: much may have come from peers or another
   * upload since the pages were read.
   */
  askNext(isHere: (digest: Digest) => boolean): readonly Digest[] {
    const batch: Digest[] = []
    let seen = 0
    for (const digest of this.lacking) {
      if (batch.length === this.#maxNeed) break
      seen += 1
      if (this.need.has(digest) || isHere(digest)) continue
      this.need.add(digest)
      batch.push(digest)
    }
    this.lacking = this.lacking.slice(seen)
    return batch
  }

  /** True: kept in memory to travel with the announcement. False: too much by now, everything goes to the store. */
  keep(digest: Digest, bytes: Uint8Array): boolean {
    if (this.content === undefined || this.#contentBytes + bytes.length > this.#maxInlineBytes) return false
    this.#contentBytes += bytes.length
    this.content.set(digest, bytes)
    return true
  }

  /** What was kept so far, to be written after all. */
  spill(): ReadonlyMap<Digest, Uint8Array> {
    const kept = this.content ?? new Map<Digest, Uint8Array>()
    this.content = undefined
    return kept
  }
}
