import { statSync } from 'node:fs'

const OTHERS_MAY = 0o077

/** The mode of a private file that others than its owner may use, as `chmod` writes it; undefined: nobody else may. */
export function looseMode(path: string): string | undefined {
  // Windows has no such bits: there every file says 0666.
  if (process.platform === 'win32') return undefined
  const { mode } = statSync(path)
  return (mode & OTHERS_MAY) === 0 ? undefined : (mode & 0o777).toString(8).padStart(4, '0')
}
