/** A manifest as a whole, read page by page: order, collisions, files that go on in the next page, and sums. */
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { ManifestEntry, ManifestPage } from '../model/manifest.ts'
import type { Header } from '../model/release.ts'
import { sha256 } from './digest.ts'
import { comparePaths, PathTree } from './path.ts'

const EMPTY = sha256(new Uint8Array())

const malformed = (reason: string): MeshError => new MeshError('CODEC_MALFORMED', `manifest: ${reason}`)
const lie = (reason: string): MeshError => new MeshError('LIMIT_CONTENT', `manifest: ${reason}`)

type Declared = Pick<Header, 'files' | 'bytes' | 'pages'>

/** A file that goes on in the next page, and what it still lacks. */
interface Unfinished {
  readonly entry: ManifestEntry
  readonly missing: number
}

/**
 * Takes the pages of one release in order. Each `add` throws as soon as something is wrong; `end` checks that
 * nothing is missing. Nothing may be written or fetched for a page before its `add` returned.
 */
export class ManifestReader {
  readonly #declared: Declared
  readonly #tree: PathTree
  #pages = 0
  #files = 0
  #bytes = 0
  #last: string | undefined
  #unfinished: Unfinished | undefined

  constructor(header: Declared, limits: Limits) {
    this.#declared = header
    this.#tree = new PathTree(limits)
  }

  /** @throws MeshError CODEC_MALFORMED, CONTENT_PATH, LIMIT_CONTENT */
  add(page: ManifestPage): void {
    if (++this.#pages > this.#declared.pages.length) throw malformed('more pages than the header names')
    for (const entry of page) {
      if (this.#unfinished !== undefined) this.#goOn(this.#unfinished, entry, entry === page[0])
      else this.#begin(entry)
    }
  }

  /** @throws MeshError CODEC_MALFORMED, LIMIT_CONTENT where pages, files or bytes are missing */
  end(): void {
    if (this.#pages !== this.#declared.pages.length) throw malformed('fewer pages than the header names')
    if (this.#unfinished !== undefined) throw lie('the blocks of the last file are less than its size')
    if (this.#files !== this.#declared.files)
      throw lie(`${this.#files} files, but the header says ${this.#declared.files}`)
    if (this.#bytes !== this.#declared.bytes)
      throw lie(`${this.#bytes} bytes, but the header says ${this.#declared.bytes}`)
  }

  #begin(entry: ManifestEntry): void {
    if (this.#last !== undefined && comparePaths(this.#last, entry.path) >= 0)
      throw malformed('paths do not ascend')
    this.#tree.add(entry.path)
    this.#last = entry.path
    this.#files++
    // No overflow: each size is bounded, and the sum is compared after each step.
    this.#bytes += entry.size
    if (this.#files > this.#declared.files) throw lie('more files than the header says')
    if (this.#bytes > this.#declared.bytes) throw lie('more bytes than the header says')
    if (entry.size === 0 && (entry.blocks.length > 0 || entry.digest !== EMPTY))
      throw lie('an empty file has blocks or the digest of another')
    this.#take(entry, entry.size)
  }

  /** The rest of a file: first in its page, and the same in all but the blocks. */
  #goOn({ entry, missing }: Unfinished, next: ManifestEntry, first: boolean): void {
    const same =
      next.path === entry.path &&
      next.mode === entry.mode &&
      next.size === entry.size &&
      next.digest === entry.digest
    if (!first || !same) throw lie('the blocks of a file are less than its size')
    this.#take(next, missing)
  }

  #take(entry: ManifestEntry, missing: number): void {
    if (missing > 0 && entry.blocks.length === 0) throw lie('a file has fewer blocks than its size needs')
    let left = missing
    for (const block of entry.blocks) left -= block.size
    if (left < 0) throw lie('the blocks of a file are more than its size')
    this.#unfinished = left > 0 ? { entry, missing: left } : undefined
  }
}

/** A whole manifest at once. @throws MeshError CODEC_MALFORMED, CONTENT_PATH, LIMIT_CONTENT */
export function checkManifest(header: Declared, pages: Iterable<ManifestPage>, limits: Limits): void {
  const reader = new ManifestReader(header, limits)
  for (const page of pages) reader.add(page)
  reader.end()
}
