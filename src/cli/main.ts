import { readFileSync } from 'node:fs'
import { join } from 'node:path'

if (process.argv.includes('--version')) {
  const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')
  process.stdout.write(`${(JSON.parse(manifest) as { version: string }).version}\n`)
} else {
  process.stderr.write('confmesh: USAGE: only --version is here yet\n')
  process.exitCode = 2
}
