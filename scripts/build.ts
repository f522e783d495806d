// Emits dist/ from src/. It is written beside the old one and swapped in, so that a build that fails, or
// one that runs while tests use the old files, leaves something whole behind.
//
//   node scripts/build.ts              types are checked; an error fails the build
//   node scripts/build.ts --no-check   only the code is emitted (the tests do this: types are a check of their own)

import { spawnSync } from 'node:child_process'
import { chmodSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const dist = join(root, 'dist')
const fresh = `${dist}.${process.pid}.new`
const tsc = join(root, 'node_modules/typescript/bin/tsc')
const unchecked = process.argv.includes('--no-check')

const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh, '--noEmitOnError', String(!unchecked)]
if (unchecked) args.push('--noCheck', '--declaration', 'false')
const compiled = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
if (compiled.status !== 0) {
  rmSync(fresh, { recursive: true, force: true })
  process.stderr.write('build: the compiler found errors; dist/ is as it was\n')
  process.exit(1)
}

chmodSync(join(fresh, 'cli/launcher.js'), 0o755)
rmSync(dist, { recursive: true, force: true })
renameSync(fresh, dist)

// npm links the programs of dependencies, not the package's own: with this, `npx confmesh` works in a checkout.
const link = join(root, 'node_modules/.bin/confmesh')
rmSync(link, { force: true })
symlinkSync('../../dist/cli/launcher.js', link)
