/** Where targets that read files have theirs; gone when the process ends. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'confmesh-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** A folder of its own for each of them. */
export function scratch(name: string): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  return path
}
