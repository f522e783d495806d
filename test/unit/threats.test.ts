/** Every threat of docs/threats.md has a test, the tests it names are there, and a deliberate fault shows that they bite. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../src/daemon/metrics-table.ts'
import { CODES } from '../../src/errors.ts'

const root = join(import.meta.dirname, '../..')
const LAST = 79

interface Row {
  readonly number: number
  readonly tests: readonly { readonly file: string; readonly name: string }[]
}

const cells = (line: string): string[] => line.split(' | ')

/** Rows of five cells; the shorter ones of “Left for later” carry no test. */
function rows(text: string): { shown: Row[]; later: number[] } {
  const numbered = text.split('\n').filter((line) => /^\| \d+ \| /.test(line))
  const numberOf = (line: string) => Number(/\d+/.exec(line)?.[0])
  return {
    shown: numbered
      .filter((line) => cells(line).length === 5)
      .map((line) => ({
        number: numberOf(line),
        tests: [...line.matchAll(/`([^`\s]+\.test\.ts)` “([^”]+)”/g)].map(([, file = '', name = '']) => ({
          file,
          name,
        })),
      })),
    later: numbered.filter((line) => cells(line).length !== 5).map(numberOf),
  }
}

const text = readFileSync(join(root, 'docs/threats.md'), 'utf8')
const { shown, later } = rows(text)
const sources = new Map<string, string>()
const sourceOf = (file: string): string => {
  const path = join(root, 'test', file)
  if (!sources.has(file)) sources.set(file, existsSync(path) ? readFileSync(path, 'utf8') : '')
  return sources.get(file) ?? ''
}
/** As the name of a test stands in its source: quoted, whole. */
const named = (source: string, name: string): boolean =>
  [`'${name}'`, `"${name}"`, `\`${name}\``].some((quoted) => source.includes(quoted))

const faults = join(root, 'scripts/mutants')
interface Fault {
  readonly name: string
  readonly test: string | readonly string[]
  readonly title?: string
}
const all = readdirSync(faults).flatMap(
  (list) => JSON.parse(readFileSync(join(faults, list), 'utf8')) as readonly Fault[],
)
/** Deliberate faults by the test files, below `test/`, that they turn red. */
const bite = Map.groupBy(
  all.flatMap((fault) =>
    [fault.test].flat().map((path) => ({ ...fault, file: path.replace(/^test\//, '') })),
  ),
  ({ file }) => file,
)
const rowsOf = (file: string): number =>
  shown.filter(({ tests }) => tests.some((test) => test.file === file)).length

/** A file of several rows says nothing of any one of them: the fault names the row, or the test if it names no other row. */
function bites({ number, tests }: Row): boolean {
  return tests.some(({ file, name }) =>
    (bite.get(file) ?? []).some((fault) => {
      const row = / row (\d+): /.exec(fault.name)?.[1]
      if (row !== undefined) return Number(row) === number
      return rowsOf(file) === 1 || (fault.title !== undefined && name.includes(fault.title))
    }),
  )
}
const numberedFiles = readdirSync(join(root, 'test/attack')).filter((name) =>
  /^\d\d-.*\.test\.ts$/.test(name),
)

describe('docs/threats.md', () => {
  test('has every number once, in order', () => {
    const all = [...shown.map(({ number }) => number), ...later].sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: LAST }, (_, at) => at + 1))
  })

  test.each(shown)('row $number names a test, and each that it names is there', ({ tests }) => {
    expect(tests).not.toEqual([])
    const missing = tests.filter(({ file, name }) => !named(sourceOf(file), name))
    expect(missing).toEqual([])
  })

  test.each(shown)('row $number names a test that a deliberate fault turns red', (row) => {
    expect(bites(row)).toBe(true)
  })

  test('every test file that a row names is turned red by a deliberate fault', () => {
    const named = new Set(shown.flatMap(({ tests }) => tests.map(({ file }) => file)))
    expect([...named].filter((file) => !bite.has(file))).toEqual([])
  })

  test('every numbered file of test/attack is turned red by a deliberate fault', () => {
    expect(numberedFiles.filter((name) => !bite.has(`attack/${name}`))).toEqual([])
  })

  test('codes and metrics that it names are there', () => {
    const codes = new Set<string>(CODES)
    const metrics = new Set(
      [COUNTERS, GAUGES, HISTOGRAMS].flatMap((table) => Object.values(table).map(({ name }) => name)),
    )
    const words = [...text.matchAll(/`([A-Z]+_[A-Z_]+|confmesh_[a-z_]+)`/g)].map(([, word = '']) => word)
    expect(words.filter((word) => !codes.has(word) && !metrics.has(word))).toEqual([])
  })

  test('every numbered file of test/attack is named in its row', () => {
    const astray = numberedFiles.filter(
      (name) =>
        !shown.some(
          ({ number, tests }) =>
            number === Number(name.slice(0, 2)) && tests.some(({ file }) => file === `attack/${name}`),
        ),
    )
    expect(astray).toEqual([])
  })
})
