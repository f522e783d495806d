import { fchmodSync, fstatSync, type Stats, statSync } from 'node:fs'
import { keepsNoModes, OTHERS_MAY, octal } from '../net/no-modes.ts'

export { OTHERS_MAY, WHERE_NO_MODES } from '../net/no-modes.ts'

/** Whatever is more than that the group reads. */
const MORE_THAN_GROUP_READS = 0o037

/** The mode of a private file that others than its owner may use, as `chmod` writes it; undefined: nobody else may. */
export function looseMode(path: string): string | undefined {
  const file = statSync(path)
  return isLoose(file) ? octal(file) : undefined
}

/**
 * Closes a new private file to those who inherit a right to it from its folder. While it is empty: a stick keeps what was
 * removed.
 * @throws MeshError CONFIG_KEY_MODE where that is not possible: whoever reads a key would refuse it, for ever
 */
export function closeToOthers(file: number, path: string): void {
  if (!isLoose(fstatSync(file))) return
  let cause: unknown
  try {
    fchmodSync(file, 0o600)
  } catch (error) {
    cause = error
  }
  const found = fstatSync(file)
  if (isLoose(found)) throw keepsNoModes(path, found, cause)
}

function isLoose(file: Stats): boolean {
  // Windows has no such bits: there every file says 0666.
  if (process.platform === 'win32') return false
  return (file.mode & OTHERS_MAY) !== 0 && !isHandedOut(file)
}

/** As OpenSSH has it, root may give others what is its own: so Kubernetes gives secrets to the group of a pod. */
function isHandedOut({ mode, uid, gid }: Stats): boolean {
  const isOurs = uid === process.geteuid?.()
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])]
  return uid === 0 && !isOurs && (mode & MORE_THAN_GROUP_READS) === 0 && groups.includes(gid)
}
