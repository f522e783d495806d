// Judges the package as it would be published: packed, linted, installed into an empty folder without development
// packages and without install scripts, and used there under Node 24 as a stranger would; then as docs/operations.md
// installs it on a host, from the lock file.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { publishAndRead } from './smoke.ts'

const root = resolve(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'confmesh-package-'))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${status ?? error}\n${stdout}${stderr}`)
}

const node = (script: string, args: string[], cwd = root): string =>
  run(process.execPath, [join(root, 'node_modules', script), ...args], cwd)

async function step(name: string, work: () => unknown): Promise<void> {
  await work()
  process.stdout.write(`ok     ${name}\n`)
}

/** Nothing but what a user needs: no sources that Node would not run there, no tests. */
function judgeFiles(files: { path: string }[]): void {
  const odd = files
    .map(({ path }) => path)
    .filter((path) => !/^(dist\/.+(\.d\.ts|\.js)|docs\/.+|[\w.]+)$/.test(path))
  if (odd.length > 0) throw new Error(`not to be published: ${odd.join(', ')}`)
}

try {
  const home = join(work, 'home')
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{"private":true,"type":"module"}')
  let tarball = ''
  const bin = join(home, 'node_modules/confmesh/dist/cli/launcher.js')

  await step('packed', () => {
    const packed = run('npm', ['pack', '--json', '--pack-destination', work], root)
    // What the build prints comes before it.
    const [about] = JSON.parse(packed.slice(packed.indexOf('[\n'))) as {
      filename: string
      files: { path: string }[]
    }[]
    if (about === undefined) throw new Error('npm pack told of no tarball')
    tarball = join(work, about.filename)
    judgeFiles(about.files)
  })
  await step('publint', () => node('publint/src/cli.js', [tarball, '--strict']))
  await step('types resolve', () =>
    node('@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'esm-only', '--no-color']),
  )
  await step('installed without scripts and development packages', () =>
    run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', tarball], home),
  )
  await step('confmesh --version', () => {
    const said = run(process.execPath, [bin, '--version'], home).trim()
    if (said !== version) throw new Error(`it says ${said}, not ${version}`)
  })
  await step('imported', () => {
    const text = "await import('confmesh'); await import('confmesh/client')"
    run(process.execPath, ['--input-type=module', '--eval', text], home)
  })
  await step('installed from the lock file, as docs/operations.md says', () => {
    const [, page = ''] = readFileSync(join(root, 'docs/operations.md'), 'utf8').split('\n## Install\n')
    const commands = /^```sh\n(.+?)^```$/ms.exec(page)?.[1] ?? 'exit 1'
    const here = { 'confmesh-X.Y.Z.tgz': tarball, '/opt/': `${work}/`, '/usr/bin/': `${work}/` }
    const text = Object.entries(here).reduce((all, [there, path]) => all.replaceAll(there, path), commands)
    run('sh', ['-ec', text], root)
    const said = run(process.execPath, [join(work, 'confmesh'), '--version'], work).trim()
    if (said !== version) throw new Error(`it says ${said}, not ${version}`)
  })
  await step('a fleet of two: init, node, publish, read', () => publishAndRead(bin, join(work, 'fleet')))
} catch (error) {
  process.stdout.write(`FAILED ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
