/**
 * How many times in a row the process ended without closing its store. Where LevelDB merges a damaged table it may end
 * the process (`salvage.ts`), and would again after each start: a store too large to be read through at every start is
 * read through after a few such ends. Also after others, such as power cuts: it costs seconds, and finds nothing.
 */
import { constants } from 'node:fs'
import { open, readFile, rm } from 'node:fs/promises'

const DIGITS = 3

const pathOf = (dir: string): string => `${dir}-ends`

/** A count that cannot be read counts as none: it only makes a check come later. */
export async function uncleanEnds(dir: string): Promise<number> {
  const text = await readFile(pathOf(dir), 'latin1').catch(() => '')
  return /^\d{3}$/.test(text) ? Number(text) : 0
}

/** Before the store is opened: so many, were this life to end now. Written in place, which a full disk takes as well. */
export async function countEnds(dir: string, ends: number): Promise<void> {
  try {
    const file = await open(pathOf(dir), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    try {
      await file.write(String(ends).padStart(DIGITS, '0'), 0, 'latin1')
    } finally {
      await file.close()
    }
  } catch {
    // no folder yet, or it takes no change: as above
  }
}

/** Where the folder is gone, or takes no change, the count stays: the check comes sooner. */
export const closedCleanly = (dir: string): Promise<void> =>
  rm(pathOf(dir), { force: true }).catch(() => undefined)
