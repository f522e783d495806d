// Breaks the code on purpose, one small fault at a time, and shows that a test goes red for each.
//
//   npm run mutants                  every fault
//   npm run mutants -- --only NAME   the faults whose name has NAME in it
//   npm run mutants -- --slice 2/4   the second quarter of them, taken in turn
//   npm run mutants -- --patience 5  on a machine with other work: every deadline five times as long
//
// The faults are the entries of scripts/mutants/*.json, each file a list of
//
//   {
//     "name": "order: greatest place wins",         unique; what is broken, in words
//     "file": "src/core/order.ts",                  the file to change
//     "find": "a.counter > b.counter",              stands in it exactly once
//     "replace": "a.counter < b.counter",           what it becomes
//     "test": "test/unit/core/order.test.ts"        the test file (or list of them) that must go red
//     "title": "seeds 1 to 20"                      where the file is long: only the tests with this in their names
//   }
//
// Each is tried in a copy; the work tree stays as it is. The tests are first run without any fault and must be green:
// a test that is always red would prove nothing. Each line names the test that went red, and says where it did so by
// its deadline alone: on a busy machine that proves nothing either. Exit 1 when a fault survives, when `find` does not stand exactly once,
// or when the tests did not run at all (a fault that does not even load is no fault that a test found).

import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { optionsOf, wholeNumber } from './options.ts'
import { revision } from './revision.ts'

type Mutant = {
  name: string
  file: string
  find: string
  replace: string
  test: string | string[]
  title?: string
}
type Outcome = 'killed' | 'survived' | 'broken'

const root = resolve(import.meta.dirname, '..')
/** Of one run of test files. */
const DEADLINE_MS = 300_000
/** The longest that any layer gives a test. */
const TEST_TIMEOUT_MS = 120_000

const { values: options } = optionsOf({
  options: {
    only: { type: 'string', default: '' },
    slice: { type: 'string', default: '1/1' },
    patience: { type: 'string', default: '1' },
  },
})
const patience = wholeNumber('patience', options.patience)

function readMutants(): Mutant[] {
  const folder = join(root, 'scripts/mutants')
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const all = files.sort().flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Mutant[])
  const twice = all.filter(({ name }, i) => all.findIndex((other) => other.name === name) !== i)
  if (twice.length > 0)
    throw new Error(`two faults have one name: ${twice.map(({ name }) => name).join(', ')}`)
  return all
}

const testsOf = ({ test }: Mutant): string[] => (typeof test === 'string' ? [test] : test)

/** A copy of what the tests need; packages are shared, as nothing writes to them. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'confmesh-mutants-'))
  for (const name of readdirSync(root)) {
    if (!['node_modules', '.git', 'dist', 'coverage'].includes(name)) {
      cpSync(join(root, name), join(copy, name), { recursive: true })
    }
  }
  for (const name of ['node_modules', 'dist']) {
    if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name))
  }
  return copy
}

type Failure = { status: string; fullName: string; failureMessages: string[] }
type Report = { numPassedTests: number; testResults: { assertionResults: Failure[] }[] }
/** `red` is the test that failed; neither is true where no test was executed. */
type Run = { green: boolean; red: string | undefined; output: string }

/** Runs test files in the copy. */
function runTests(copy: string, files: string[], title = ''): Run {
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [
    vitest,
    'run',
    '--bail=1',
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...(patience > 1 ? [`--testTimeout=${patience * TEST_TIMEOUT_MS}`] : []),
    ...(title === '' ? [] : ['-t', title]),
    ...files,
  ]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: 'utf8',
    timeout: patience * DEADLINE_MS,
  })
  const output = `${stdout}${stderr}`
  if (!existsSync(report)) return { green: false, red: undefined, output }
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report
  return { green: status === 0 && numPassedTests > 0, red: redOf(testResults), output }
}

function redOf(files: Report['testResults']): string | undefined {
  const failed = files
    .flatMap(({ assertionResults }) => assertionResults)
    .find((one) => one.status === 'failed')
  if (failed === undefined) return undefined
  const late = failed.failureMessages.some((text) => /timed out in/.test(text)) ? ' (its deadline)' : ''
  return `by “${failed.fullName}”${late}`
}

/** The file's text with the fault in it; throws when it is not clear where. */
function withFault(text: string, { file, find, replace }: Mutant): string {
  const times = text.split(find).length - 1
  if (times !== 1) throw new Error(`"find" stands ${times} times in ${file}, not once`)
  if (find === replace) throw new Error('"replace" changes nothing')
  return text.replace(find, () => replace)
}

function tryMutant(copy: string, mutant: Mutant): { outcome: Outcome; why: string } {
  const path = join(copy, mutant.file)
  try {
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, withFault(text, mutant))
    const { green, red, output } = runTests(copy, testsOf(mutant), mutant.title)
    writeFileSync(path, text)
    if (red !== undefined) return { outcome: 'killed', why: red }
    return green ? { outcome: 'survived', why: '' } : { outcome: 'broken', why: output.trim().slice(-2000) }
  } catch (cause) {
    return { outcome: 'broken', why: cause instanceof Error ? cause.message : String(cause) }
  }
}

const keyOf = (file: string, { title = '' }: Mutant): string => `${file} ${title}`.trimEnd()

/** The test files that are green as they are; says which are not. */
function greenTests(copy: string, mutants: Mutant[]): Set<string> {
  const green = new Set<string>()
  const tried = new Set<string>()
  for (const mutant of mutants)
    for (const file of testsOf(mutant)) {
      const key = keyOf(file, mutant)
      if (tried.has(key)) continue
      tried.add(key)
      const run = runTests(copy, [file], mutant.title)
      if (run.green) green.add(key)
      else process.stdout.write(`not green without any fault: ${key}\n${run.output.trim().slice(-2000)}\n`)
    }
  return green
}

/** Neighbours in a file share their tests, so a slice takes every so-many-th. */
function sliceOf(mutants: Mutant[]): Mutant[] {
  const [at = 1, of = 1] = options.slice.split('/').map(Number)
  return mutants.filter((_, i) => i % of === at - 1)
}

function main(): number {
  const mutants = sliceOf(readMutants().filter(({ name }) => name.includes(options.only)))
  if (mutants.length === 0 || !(patience >= 1)) {
    process.stdout.write(
      `mutants: none for --only "${options.only}" --slice ${options.slice}, or patience below 1\n`,
    )
    return 1
  }
  const startedMs = performance.now()
  // Before the run: commits may be made meanwhile.
  const commit = revision()
  const copy = copyTree()
  const counts: Record<Outcome, number> = { killed: 0, survived: 0, broken: 0 }
  try {
    const green = greenTests(copy, mutants)
    for (const mutant of mutants) {
      const usable = testsOf(mutant).every((file) => green.has(keyOf(file, mutant)))
      const { outcome, why } = usable
        ? tryMutant(copy, mutant)
        : { outcome: 'broken' as const, why: 'its tests are not green without it' }
      counts[outcome] += 1
      process.stdout.write(`${outcome.padEnd(8)} ${mutant.name}${why === '' ? '' : `  ${why}`}\n`)
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
  process.stdout.write(
    `mutants: ${counts.killed} killed, ${counts.survived} survived, ${counts.broken} broken, in ${minutes} minutes, commit ${commit}\n`,
  )
  return counts.survived + counts.broken === 0 ? 0 : 1
}

process.exit(main())
