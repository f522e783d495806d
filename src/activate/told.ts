/** What hooks are told of, so that no path is lost on them where a crash, a stop or a failure kept them from ending. */
import type { ManifestEntry } from '../model/manifest.ts'
import { changedPaths } from './changed-paths.ts'
import type { TreeNotes } from './channel-folder.ts'

export interface Telling {
  /** What the release before holds, as far as it is known. */
  readonly was: readonly ManifestEntry[] | undefined
  readonly is: readonly ManifestEntry[]
  /** Paths that differ between the two. */
  readonly changed: readonly string[]
  /** Where it is not known what the release before holds: what lies in its tree. */
  readonly left: readonly string[]
  /** Paths that somebody else changed; undefined where it is not known which. */
  readonly edited: readonly string[] | undefined
  /** Paths that hooks were told of and were not through with; undefined where it is not known which. */
  readonly owed: readonly string[] | undefined
  readonly maxFiles: number
}

/** Hooks are through with the tree in sight. */
export const isDone = (before: string | undefined, notes: TreeNotes): boolean =>
  before !== undefined && notes.done === before && !notes.owed

/**
 * What changed, what somebody else changed and what is owed, sorted. Every path of both releases where one of the two is not
 * known: with what is owed all the same, where that is, as neither release may have it any longer. So, too, with what the tree
 * of the release before holds, where that alone is known of it.
 */
export async function toldPaths(telling: Telling): Promise<readonly string[]> {
  const { was = [], is, changed, left, edited, owed, maxFiles } = telling
  // As many as one release has beside another: beyond are those of releases that came and went without an end of hooks.
  const known = owed === undefined || owed.length > 2 * maxFiles ? undefined : owed
  const isAll = edited === undefined || known === undefined
  const now = isAll ? await changedPaths(was, is, () => false) : [...changed, ...edited]
  return [...new Set([...now, ...left, ...(known ?? [])])].sort()
}
