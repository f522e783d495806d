/** Packs files into manifest pages, each as full as its bound allows. The same files give the same pages. */
import { sha256 } from '../codec/digest.ts'
import { encodePage } from '../codec/page.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { BlockRef, ManifestEntry } from '../model/manifest.ts'

/**
 * Upper bounds of encoded sizes, in bytes: a block is a list head, 34 + 2 of digest and 5 of size; an entry has its
 * five names (30), mode, size and digest (50) and heads of path and blocks. Whole bounds keep a page below its limit
 * without encoding it again for each file.
 */
const BLOCK_BYTES = 48
const ENTRY_BYTES = 112
const PAGE_BYTES = 16

export interface WrittenPage {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

export class ManifestWriter {
  readonly #limits: Limits
  readonly #pages: WrittenPage[] = []
  #entries: ManifestEntry[] = []
  #size = PAGE_BYTES

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Files ascending by path. A file too long for its page goes on in the next one. */
  add(file: ManifestEntry): void {
    const base = ENTRY_BYTES + Buffer.byteLength(file.path)
    let rest: readonly BlockRef[] = file.blocks
    do {
      // An entry that goes on needs room for at least one block here, or it would be no progress.
      const least = base + (rest.length > 0 ? BLOCK_BYTES : 0)
      if (this.#entries.length > 0 && this.#size + least > this.#limits.maxPageBytes) this.#close()
      const room = Math.max(1, Math.floor((this.#limits.maxPageBytes - this.#size - base) / BLOCK_BYTES))
      const blocks = rest.slice(0, room)
      rest = rest.slice(room)
      this.#entries.push({ ...file, blocks })
      this.#size += base + blocks.length * BLOCK_BYTES
      if (rest.length > 0) this.#close()
    } while (rest.length > 0)
  }

  /** @throws MeshError LIMIT_CONTENT: more pages than a header names */
  end(): readonly WrittenPage[] {
    if (this.#entries.length > 0) this.#close()
    if (this.#pages.length > this.#limits.maxPages)
      throw new MeshError(
        'LIMIT_CONTENT',
        `the list of files takes ${this.#pages.length} pages, at most ${this.#limits.maxPages} fit; publish in several channels`,
      )
    return this.#pages
  }

  #close(): void {
    const bytes = encodePage(this.#entries)
    this.#pages.push({ digest: sha256(bytes), bytes })
    this.#entries = []
    this.#size = PAGE_BYTES
  }
}
