/** What a release changes of the one that it takes the place of. */
import type { ReleaseId } from '../model/ids.ts'
import type { Header } from '../model/release.ts'
import type { Standing } from './standing.ts'

export interface Difference {
  /** More, or fewer, than before. */
  readonly files: number
  readonly bytes: number
  /** Of its list of files: pages that the other had not. */
  readonly pages: number
  readonly sameFiles: boolean
}

export interface Replacing {
  /** Null: the channel was empty, or held. */
  readonly replaces: ReleaseId | null
  readonly difference: Difference | null
}

export function replacing({ target }: Standing, header: Header): Replacing {
  if (target === undefined) return { replaces: null, difference: null }
  return { replaces: target.id, difference: differenceOf(target.header, header) }
}

export function differenceOf(old: Header, next: Header): Difference {
  const same = next.pages.filter((page) => old.pages.includes(page)).length
  return {
    files: next.files - old.files,
    bytes: next.bytes - old.bytes,
    pages: next.pages.length - same,
    sameFiles: same === next.pages.length && same === old.pages.length,
  }
}
