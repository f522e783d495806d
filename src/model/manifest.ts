import type { Extra } from './extra.ts'
import type { Digest } from './ids.ts'

export interface BlockRef {
  readonly digest: Digest
  /** 1 … 256 KiB. */
  readonly size: number
}

export type FileMode = 0o444 | 0o555

/** One file, or a part of one that goes on in the next page. */
export interface ManifestEntry {
  readonly path: string
  readonly mode: FileMode
  /** Size of the whole file in bytes. */
  readonly size: number
  /** Digest of the whole file. */
  readonly digest: Digest
  readonly blocks: readonly BlockRef[]
  readonly extra?: Extra
}

/** Files in ascending order of path (UTF-8 bytes); only the last entry may be unfinished. */
export type ManifestPage = readonly ManifestEntry[]
