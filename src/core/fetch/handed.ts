/**
 * Pages that came with the news of a release, before anybody asked: with them a gateway knows at once what to bring in,
 * a round trip of the longest border sooner. Nothing is known of them but their digests until a release names these.
 */
import { sha256 } from '../../codec/digest.ts'
import { LIMITS, type Limits } from '../../limits.ts'
import type { Digest } from '../../model/ids.ts'
import type { Release } from '../../model/release.ts'
import { LatestMap } from '../latest.ts'

/** Remembered, of all releases together: those of one under way, and of some behind it. */
export const MAX_PAGES = 16

export class Handed {
  readonly #limits: Limits
  readonly #pages = new LatestMap<Digest, Uint8Array>(MAX_PAGES)

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Of one release, or too much to be handed on. */
  take(pages: readonly Uint8Array[]): void {
    if (pages.reduce((sum, { length }) => sum + length, 0) > this.#limits.maxHandedBytes) return
    for (const bytes of pages.slice(0, MAX_PAGES)) this.#pages.set(this.#digestOf(bytes), bytes)
  }

  page(digest: Digest): Uint8Array | undefined {
    return this.#pages.get(digest)
  }

  /** Several gateways bring the same: to compare bytes costs a hundredth of their hash. */
  #digestOf(bytes: Uint8Array): Digest {
    for (const [digest, known] of this.#pages) if (Buffer.compare(known, bytes) === 0) return digest
    return sha256(bytes)
  }

  /** All pages of the release in their order, or none. */
  of({ header }: Release): readonly Uint8Array[] {
    const pages = header.pages.flatMap((digest) => this.#pages.get(digest) ?? [])
    const bytes = pages.reduce((sum, { length }) => sum + length, 0)
    // Others may take no more than this, and a message that is too long ends the connection.
    const most = Math.min(this.#limits.maxHandedBytes, LIMITS.maxHandedBytes)
    return pages.length === header.pages.length && bytes <= most ? pages : []
  }
}
