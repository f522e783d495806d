// The whole check, `npm test`: types, style, imports, unused code, then every layer of tests. All of it runs even when
// something failed early, so that one run shows everything that is wrong. `--no-tests` leaves the layers of tests out.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const bin = (name: string): string => join(root, 'node_modules', name)

type Check = { name: string; args: string[] }
/** Each is a file to be run by this same Node. The two columns run beside each other, one a core. */
const columns: Check[][] = [
  [{ name: 'types', args: [bin('typescript/bin/tsc'), '--noEmit'] }],
  [
    { name: 'style', args: [bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings', '--colors=off'] },
    {
      name: 'imports',
      args: [
        bin('dependency-cruiser/bin/dependency-cruiser.mjs'),
        '--config',
        '.dependency-cruiser.mjs',
        'src',
      ],
    },
    { name: 'reference', args: [bin('typedoc/bin/typedoc'), '--emit', 'none', '--skipErrorChecking'] },
    { name: 'unused', args: [bin('knip/bin/knip.js'), '--no-progress'] },
  ],
]

type Ended = { code: number; output: string; seconds: string }

function run(args: string[], show: boolean): Promise<Ended> {
  const since = performance.now()
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      if (show) process.stdout.write(text)
      else output += text
    })
  }
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => {
      const seconds = ((performance.now() - since) / 1000).toFixed(1)
      done({ code: signal === null ? (code ?? 1) : 1, output, seconds })
    })
  })
}

async function runColumn(checks: Check[]): Promise<string[]> {
  const failed: string[] = []
  for (const { name, args } of checks) {
    const { code, output, seconds } = await run(args, false)
    process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`)
    if (code === 0) continue
    failed.push(name)
    process.stdout.write(`${output.trimEnd()}\n`)
  }
  return failed
}

type Report = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
}

/** Runs every layer and gives what was counted, or undefined when the runner itself did not get to the end. */
async function runTests(): Promise<{ code: number; report: Report | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), 'confmesh-check-'))
  const file = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const { code } = await run([bin('vitest/vitest.mjs'), 'run', ...reporters], true)
  let report: Report | undefined
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch (cause) {
    process.stdout.write(`tests: the runner left no report: ${String(cause)}\n`)
  }
  rmSync(folder, { recursive: true, force: true })
  return { code, report }
}

const failed = (await Promise.all(columns.map(runColumn))).flat()
if (process.argv.includes('--no-tests')) process.exit(failed.length === 0 ? 0 : 1)
const { code, report } = await runTests()
if (code !== 0 || report === undefined || report.numPassedTests === 0) failed.push('tests')
if (failed.length > 0) process.stdout.write(`failed: ${failed.join(', ')}\n`)
if (report !== undefined) {
  const skipped = report.numPendingTests + report.numTodoTests
  const tail = skipped > 0 ? `, ${skipped} skipped` : ''
  process.stdout.write(`${report.numPassedTests} passed, ${report.numFailedTests} failed${tail}\n`)
}
process.exit(failed.length === 0 ? 0 : 1)
