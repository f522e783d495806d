// Writes the list of packages that may be installed (test/attack/packages.allowed.json) from the lock file.
// Run it after a change of dependencies, and look at what the change of the list brings in.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
type Locked = { name?: string; dev?: boolean; hasInstallScript?: boolean }
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>
}

const entries = Object.entries(lock.packages).filter(([path]) => path !== '')
const nameOf = ([path, { name }]: [string, Locked]): string => name ?? path.replace(/^.*node_modules\//, '')
const sorted = (names: string[]): string[] => [...new Set(names)].sort()

const product = sorted(entries.filter(([, { dev }]) => dev !== true).map(nameOf))
const list = {
  installScripts: sorted(entries.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(nameOf)),
  product,
  development: sorted(entries.map(nameOf)).filter((name) => !product.includes(name)),
}
writeFileSync(join(root, 'test/attack/packages.allowed.json'), `${JSON.stringify(list, null, 2)}\n`)
// In the form that the style check wants.
spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/@biomejs/biome/bin/biome'),
    'format',
    '--write',
    'test/attack/packages.allowed.json',
  ],
  { cwd: root },
)
