import { type Stats, statSync } from 'node:fs'

const OTHERS_MAY = 0o077
/** Whatever is more than that the group reads. */
const MORE_THAN_GROUP_READS = 0o037

/** The mode of a private file that others than its owner may use, as `chmod` writes it; undefined: nobody else may. */
export function looseMode(path: string): string | undefined {
  // Windows has no such bits: there every file says 0666.
  if (process.platform === 'win32') return undefined
  const file = statSync(path)
  return (file.mode & OTHERS_MAY) === 0 || isHandedOut(file) ? undefined : octal(file)
}

/** As OpenSSH has it, root may give others what is its own: so Kubernetes gives secrets to the group of a pod. */
function isHandedOut({ mode, uid, gid }: Stats): boolean {
  const isOurs = uid === process.geteuid?.()
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])]
  return uid === 0 && !isOurs && (mode & MORE_THAN_GROUP_READS) === 0 && groups.includes(gid)
}

export const octal = ({ mode }: Stats): string => (mode & 0o777).toString(8).padStart(4, '0')
