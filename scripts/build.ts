// Emits dist/ from src/. It is written beside the old one and swapped in, so that a build that fails leaves
// something whole behind. Where nothing changed the old one stays: commands load their modules when they need
// them, and a program that runs out of dist/ meanwhile would find half of it gone.
//
//   node scripts/build.ts              types are checked; an error fails the build
//   node scripts/build.ts --no-check   it is emitted all the same (tests, benchmarks, chaos: types are a check of their own)

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const dist = join(root, 'dist')
const fresh = `${dist}.${process.pid}.new`
const tsc = join(root, 'node_modules/typescript/bin/tsc')
const unchecked = process.argv.includes('--no-check')

const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh, '--noEmitOnError', String(!unchecked)]
if (unchecked) args.push('--noCheck')
const compiled = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
if (compiled.status !== 0) {
  rmSync(fresh, { recursive: true, force: true })
  process.stderr.write('build: the compiler found errors; dist/ is as it was\n')
  process.exit(1)
}

chmodSync(join(fresh, 'cli/launcher.js'), 0o755)
if (filesIn(fresh) === filesIn(dist)) rmSync(fresh, { recursive: true })
else {
  const old = `${dist}.${process.pid}.old`
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(fresh, dist)
  rmSync(old, { recursive: true, force: true })
}

// npm links the programs of dependencies, not the package's own: with this, `npx confmesh` works in a checkout.
const link = join(root, 'node_modules/.bin/confmesh')
rmSync(link, { force: true })
symlinkSync('../../dist/cli/launcher.js', link)

/** Names and contents of all files below a folder, as one digest. */
function filesIn(folder: string): string {
  const hash = createHash('sha256')
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : []
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  for (const file of files.sort()) {
    const text = readFileSync(file)
    hash.update(`${relative(folder, file)} ${text.length}\n`).update(text)
  }
  return hash.digest('hex')
}
