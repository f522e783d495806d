/** What differs between two releases, in one definition for hooks, for those who watch, and for who copies files. */
import { setImmediate } from 'node:timers/promises'
import { comparePaths } from '../codec/path.ts'

export interface ListedFile {
  readonly path: string
  readonly digest: string
  readonly mode: number
}

/** Files looked at before I/O and timers come again: some 5 ms where no file of one list is in the other. */
const SLICE_FILES = 4_096

/**
 * Paths of files that changed, came or went, sorted. Both lists ascend by `comparePaths`, as every manifest does that was
 * taken whole; of one that does not, files that are the same may be named, too, but none is left out.
 */
export async function changedPaths(
  before: readonly ListedFile[],
  after: readonly ListedFile[],
  isSame = isSameFile,
): Promise<readonly string[]> {
  const changed: string[] = []
  for (let [at, to, looked] = [0, 0, 1]; at < before.length || to < after.length; looked++) {
    const [was, is] = [before[at], after[to]]
    const order = orderOf(was, is)
    if (order <= 0) at++
    if (order >= 0) to++
    const file = order <= 0 ? was : is
    const stays = order === 0 && was !== undefined && is !== undefined && isSame(was, is)
    if (file !== undefined && !stays) changed.push(file.path)
    if (looked % SLICE_FILES === 0) await setImmediate()
  }
  // All but in order: by code units and by bytes only paths beyond U+D7FF come in another.
  return changed.sort()
}

/** Whatever their modes. */
export const isSameContent = (was: ListedFile, is: ListedFile): boolean => was.digest === is.digest

const isSameFile = (was: ListedFile, is: ListedFile): boolean =>
  isSameContent(was, is) && was.mode === is.mode

/** Which of two comes first; where a list has ended, the other's. */
function orderOf(was: ListedFile | undefined, is: ListedFile | undefined): number {
  if (was === undefined) return 1
  return is === undefined ? -1 : comparePaths(was.path, is.path)
}
