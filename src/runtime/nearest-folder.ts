import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The folder itself or the nearest above it that is there: what it says of its disk holds for what will be made below. */
export async function nearestFolder(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  return isThere || dirname(path) === path ? path : nearestFolder(dirname(path))
}
