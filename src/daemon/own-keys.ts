/**
 * Keys that the node keeps in its data folder. A volume that is given to a group, as Kubernetes does at each mount where a
 * pod has an `fsGroup`, has them readable by that group, and no such node would ever start a second time.
 */
import { chmodSync, type Stats, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { MeshError } from '../errors.ts'
import { octal } from '../net/no-modes.ts'
import type { NodeConfig } from './config.ts'
import { IDENTITY_FILE } from './identity.ts'

const GROUP_MAY = 0o070
const EVERYONE_MAY = 0o007

type Keys = Pick<NodeConfig, 'data' | 'freshness'>

/** Which of them are this user's own and open to their group alone, and the mode of each. */
export function openToGroup({ data, freshness }: Keys): ReadonlyMap<string, string> {
  const paths = [join(data, IDENTITY_FILE)]
  if (freshness?.key.startsWith(`${data}${sep}`) === true) paths.push(freshness.key)
  const open = new Map<string, string>()
  for (const path of paths) {
    const file = lookAt(path)
    if (file === undefined || file.uid !== process.geteuid?.()) continue
    if ((file.mode & GROUP_MAY) !== 0 && (file.mode & EVERYONE_MAY) === 0) open.set(path, octal(file))
  }
  return open
}

/** Closes those again. Returns what was done. @throws MeshError CONFIG_KEY_MODE where that is not possible */
export function closeToGroup(keys: Keys): readonly string[] {
  return [...openToGroup(keys)].map(([path, mode]) => {
    try {
      chmodSync(path, 0o600)
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code
      const text = `${path} has mode ${mode}, others may use this key, and it cannot be set back to 0600: ${reason}`
      throw new MeshError('CONFIG_KEY_MODE', text, { path }, { cause: error })
    }
    return `${path} had mode ${mode} and is 0600 again: its group could read this key`
  })
}

/** What cannot be looked at is told by whoever reads it. */
function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
