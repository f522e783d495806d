import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, resolve, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { CODES } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'

const root = resolve(import.meta.dirname, '../..')
const maxFileLines = 400
const maxFunctionLines = 60
const pure = ['src/model/', 'src/codec/', 'src/trust/', 'src/core/']

type Source = { path: string; text: string }

function read(folder: string, extensions: string[]): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => extensions.includes(extname(name)) && !name.split(sep).includes('node_modules'))
    .map((name) => ({ path: join(folder, name), text: readFileSync(join(root, folder, name), 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

const code = ['src', 'test', 'scripts', 'bench'].filter((folder) => readdirSync(root).includes(folder))
const sources = code.flatMap((folder) => read(folder, ['.ts']))
const product = sources.filter(({ path }) => path.startsWith('src/'))

const parse = ({ path, text }: Source): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
const lineOf = (file: ts.SourceFile, node: ts.Node): number =>
  file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

const linesOf = (file: ts.SourceFile, node: ts.Node): number => node.getText(file).split('\n').length

/**
 * Lines without those of the functions inside, which are measured by themselves: a factory that returns an object of
 * closures is read one closure at a time, as a class is read one method at a time.
 */
function ownLines(file: ts.SourceFile, node: ts.Node): number {
  let lines = linesOf(file, node)
  const subtract = (child: ts.Node): void => {
    if (ts.isFunctionLike(child)) lines -= linesOf(file, child) - 1
    else ts.forEachChild(child, subtract)
  }
  ts.forEachChild(node, subtract)
  return lines
}

function longFunctions(source: Source): string[] {
  const file = parse(source)
  const found: string[] = []
  walk(file, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
    const lines = ownLines(file, node)
    if (lines > maxFunctionLines) found.push(`${source.path}:${lineOf(file, node)} has ${lines} lines`)
  })
  return found
}

/** Names that bring in the time of day, chance, a timer, a promise or the process itself. */
const ambientGlobals = new Set(
  'performance setTimeout setInterval setImmediate queueMicrotask process Promise fetch crypto Intl'.split(
    ' ',
  ),
)
const ambientMembers = new Set(['Math.random', 'Date.now', 'Temporal.Now'])
const chance = /^(random\w*|getRandomValues|generateKey\w*|webcrypto|subtle)$/

function ambient(source: Source): string[] {
  const file = parse(source)
  const found: string[] = []
  const report = (node: ts.Node, what: string) => found.push(`${source.path}:${lineOf(file, node)} ${what}`)
  walk(file, (node) => {
    if (ts.isPropertyAccessExpression(node) && ambientMembers.has(node.getText(file)))
      report(node, node.getText(file))
    if (ts.isNewExpression(node) && node.expression.getText(file) === 'Date' && !node.arguments?.length)
      report(node, 'new Date()')
    if (ts.isCallExpression(node) && node.expression.getText(file) === 'Date') report(node, 'Date()')
    if (ts.isImportSpecifier(node) && chance.test((node.propertyName ?? node.name).text))
      report(node, node.getText(file))
    if (
      ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)
    )
      report(node, 'async')
    if (ts.isAwaitExpression(node)) report(node, 'await')
    if (ts.isIdentifier(node) && ambientGlobals.has(node.text) && isFree(node)) report(node, node.text)
  })
  return found
}

/** An identifier that stands for a variable, and not for a property or for a name that is being declared. */
function isFree({ parent, text }: ts.Identifier): boolean {
  if (ts.isPropertyAccessExpression(parent)) return parent.expression.getText() === text
  if (ts.isPropertyAssignment(parent) || ts.isBindingElement(parent)) return parent.name.getText() !== text
  return !(ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isImportSpecifier(parent))
}

describe('size', () => {
  test(`no file has more than ${maxFileLines} lines`, () => {
    const long = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    expect(long.filter(({ lines }) => lines > maxFileLines)).toEqual([])
  })

  test(`no function has more than ${maxFunctionLines} lines`, () => {
    const judged = sources.filter(({ path }) => !path.startsWith('test/'))
    expect(judged.flatMap(longFunctions)).toEqual([])
    // It parses every source: on a machine that is busy with other things that takes more than the usual time.
  }, 120_000)

  test('a function that is too long is found, however it is written', () => {
    const body = '\n  x()'.repeat(maxFunctionLines)
    for (const text of [
      `function f() {${body}\n}`,
      `const f = () => {${body}\n}`,
      `class A { m() {${body}\n} }`,
    ]) {
      expect(longFunctions({ path: 'a.ts', text })).toEqual([`a.ts:1 has ${maxFunctionLines + 2} lines`])
    }
  })
})

describe('the pure part', () => {
  test.each(pure)('%s has no ambient time, chance, timer or promise', (folder) => {
    expect(product.filter(({ path }) => path.startsWith(folder)).flatMap(ambient)).toEqual([])
  })

  test.each([
    'Math.random()',
    'Date.now()',
    'new Date()',
    'Date()',
    'performance.now()',
    'setTimeout(f, 1)',
    'globalThis; setInterval(f, 1)',
    'process.hrtime()',
    'async function f() {}',
    'const f = async () => 1',
    'Promise.resolve(1)',
    'crypto.randomUUID()',
    "import { randomBytes } from 'node:crypto'",
    "import { randomUUID as id } from 'node:crypto'",
    "import { generateKeyPairSync } from 'node:crypto'",
  ])('%s is found', (text) => {
    expect(ambient({ path: 'a.ts', text })).not.toEqual([])
  })

  test.each([
    'new Date(ms).toISOString()',
    'event.process.id',
    'const x = { performance: 1 }',
    'type T = { crypto: string }',
    "import { createHash, verify } from 'node:crypto'",
  ])('%s is let be', (text) => {
    expect(ambient({ path: 'a.ts', text })).toEqual([])
  })
})

describe('error codes', () => {
  const rows = readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(
    /^\| `([A-Z_]+)` \|(.+)\|(.+)\| ([1234-]) \|$/gm,
  )
  const documented = [...rows].map(([, name]) => name ?? '')

  test('each is documented once in docs/errors.md, with its meaning, what to do and its exit code', () => {
    expect({ missing: CODES.filter((name) => !documented.includes(name)) }).toEqual({ missing: [] })
    expect({ unknown: documented.filter((name) => !(CODES as readonly string[]).includes(name)) }).toEqual({
      unknown: [],
    })
    expect(documented).toHaveLength(new Set(documented).size)
  })

  test('each is used somewhere in src', () => {
    const used = product.filter(({ path }) => path !== 'src/errors.ts').map(({ text }) => text)
    expect({ unused: CODES.filter((name) => !used.some((text) => text.includes(`'${name}'`))) }).toEqual({
      unused: [],
    })
  })
})

test('each limit is used somewhere in src', () => {
  const used = product
    .filter(({ path }) => path !== 'src/limits.ts')
    .map(({ text }) => text)
    .join('\n')
  const words = new Set(used.match(/\w+/g))
  expect({ unused: Object.keys(LIMITS).filter((name) => !words.has(name)) }).toEqual({ unused: [] })
})

describe('nothing is left open', () => {
  // Put together here, or this file would find itself.
  const open = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`)
  const notRun = new RegExp(
    `\\b(it|test|describe|suite)(\\.\\w+)*\\.(${['sk' + 'ip', 'on' + 'ly', 'to' + 'do', 'sk' + 'ipIf', 'fa' + 'ils'].join('|')})\\b`,
  )
  const lines = (all: Source[], pattern: RegExp) =>
    all.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1} ${line.trim()}`] : [])),
    )

  test('no note of work to be done', () => {
    const more = ['docs', 'docker'].filter((folder) => readdirSync(root).includes(folder))
    const texts = more.flatMap((folder) => read(folder, ['.md', '.yaml', '.service', '']))
    const written = texts.filter(({ path }) => !path.startsWith('docs/api/'))
    expect(lines([...sources, ...written], open)).toEqual([])
  })

  test('no test is left out', () => {
    const tests = sources.filter(({ path }) => path.startsWith('test/'))
    expect(lines(tests, notRun)).toEqual([])
    expect(notRun.test('describe.sk' + 'ip(')).toBe(true)
  })
})
