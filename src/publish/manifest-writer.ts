/**
 * Packs files into manifest pages. The same files give the same pages, and pages end where the files say so, as blocks do
 * (`chunks.ts`): a file that comes or goes makes the pages around it new, not all behind it. The cuts are no part of the
 * protocol: a node takes any pages.
 */
import { sha256 } from '../codec/digest.ts'
import { decodePage, encodePage } from '../codec/page.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { BlockRef, ManifestEntry } from '../model/manifest.ts'

/**
 * Upper bounds of encoded sizes, in bytes: a block takes 40, a list head, 34 of digest and 5 of size; an entry has its
 * five names (30), mode, size and digest (50) and heads of path and blocks. Whole bounds keep a page below its limit
 * without encoding it again for each file.
 */
const BLOCK_BYTES = 48
const ENTRY_BYTES = 112
const PAGE_BYTES = 16

/**
 * Past its half a page ends once in so many bytes, on average: 200,000 files of 220 bytes in the list take 240 of 256 pages,
 * and one page in eight is full before it finds an end.
 */
const CUT_SHARE = 1 / 4

/** Of a path, evenly from 0 to 1: what a page ends by must not depend on where the page began. */
const lotOf = (path: string): number => Number.parseInt(sha256(Buffer.from(path)).slice(0, 8), 16) / 2 ** 32

export interface WrittenPage {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

export class ManifestWriter {
  readonly #limits: Limits
  readonly #ends: 'where files say' | 'full'
  readonly #pages: WrittenPage[] = []
  #entries: ManifestEntry[] = []
  #size = PAGE_BYTES

  constructor(limits: Limits, ends: 'where files say' | 'full' = 'where files say') {
    this.#limits = limits
    this.#ends = ends
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
      if (rest.length > 0 || this.#endsWith(file.path, base + blocks.length * BLOCK_BYTES)) this.#close()
    } while (rest.length > 0)
  }

  /** @throws MeshError LIMIT_CONTENT: more pages than a header names */
  end(): readonly WrittenPage[] {
    if (this.#entries.length > 0) this.#close()
    if (this.#pages.length <= this.#limits.maxPages) return this.#pages
    if (this.#ends !== 'full') return this.#packed()
    throw new MeshError(
      'LIMIT_CONTENT',
      `the list of files takes ${this.#pages.length} pages, at most ${this.#limits.maxPages} fit; publish in several channels`,
    )
  }

  /** Long entries end a page as often for their bytes as short ones. */
  #endsWith(path: string, entryBytes: number): boolean {
    const { maxPageBytes } = this.#limits
    if (this.#ends === 'full' || this.#size < maxPageBytes / 2) return false
    return lotOf(path) * maxPageBytes * CUT_SHARE < entryBytes
  }

  /** The list once more, each page as full as its bound allows: what fits at all must not be refused. */
  #packed(): readonly WrittenPage[] {
    const full = new ManifestWriter(this.#limits, 'full')
    let file: ManifestEntry | undefined
    for (const { bytes } of this.#pages)
      for (const entry of decodePage(bytes, this.#limits)) {
        if (file?.path === entry.path) file = { ...file, blocks: [...file.blocks, ...entry.blocks] }
        else {
          if (file !== undefined) full.add(file)
          file = entry
        }
      }
    if (file !== undefined) full.add(file)
    return full.end()
  }

  #close(): void {
    const bytes = encodePage(this.#entries)
    this.#pages.push({ digest: sha256(bytes), bytes })
    this.#entries = []
    this.#size = PAGE_BYTES
  }
}
