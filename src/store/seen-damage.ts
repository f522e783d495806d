import { checkFiles } from './level-files.ts'
import type { Problem } from './problem.ts'
import { exists } from './replacement.ts'

/** One may be a kill or a power cut, the second the damage: the third start looks. */
const MAX_UNCLEAN_ENDS = 2

/** @param ends how many lives in a row ended without closing the store */
export const isDoubtful = (ends: number): boolean => ends >= MAX_UNCLEAN_ENDS

/** There while a life before met a table that LevelDB cannot merge. */
export const damageMark = (dir: string): string => `${dir}.damaged`

/**
 * What is wrong with a store as far as it is seen from outside: opening would drop what stands behind the damage. It changes
 * nothing, so that people may look as a start does.
 */
export async function seenDamage(
  dir: string,
  ends: number,
  maxCheckedStoreBytes: number,
): Promise<Problem | undefined> {
  if (await exists(damageMark(dir))) return { where: dir, what: 'its tables were damaged in the last run' }
  const [damage] = await checkFiles(dir, isDoubtful(ends) ? Number.POSITIVE_INFINITY : maxCheckedStoreBytes)
  return damage
}
