/**
 * How many times in a row the process ended without closing its store. Where LevelDB merges a damaged table it may end
 * the process (`salvage.ts`), and would again after each start: a store too large to be read through at every start is
 * read through after a few such ends. Also after others, such as power cuts: it costs seconds, and finds nothing.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'

const pathOf = (dir: string): string => `${dir}-ends`

/** A count that cannot be read counts as none: it only makes a check come later. */
export async function uncleanEnds(dir: string): Promise<number> {
  const text = await readFile(pathOf(dir), 'latin1').catch(() => '')
  return /^\d{1,3}$/.test(text) ? Number(text) : 0
}

/** Before the store is opened: so many, were this life to end now. On a full disk it may be lost, as above. */
export const countEnds = (dir: string, ends: number): Promise<void> =>
  writeFile(pathOf(dir), String(ends), { mode: 0o600 }).catch(() => undefined)

/** Where the folder is gone, or takes no change, the count stays: the check comes sooner. */
export const closedCleanly = (dir: string): Promise<void> =>
  rm(pathOf(dir), { force: true }).catch(() => undefined)
