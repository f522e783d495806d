import { posix, win32 } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkPath, comparePaths, foldSegment, PathTree } from '../../../src/codec/path.ts'
import { isMeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'

const refused = (run: () => unknown): boolean => {
  try {
    run()
    return false
  } catch (error) {
    if (isMeshError(error) && error.code === 'CONTENT_PATH') return true
    throw error
  }
}

const piece = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '/',
    '\\',
    '\0',
    ' ',
    'C:',
    'a',
    'b',
    '\u200d',
    '\u202e',
    '\u00a0',
    '...',
    '//',
    '\ud800',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const anyPath = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))

test('a path that is taken stays inside its folder, on every system', () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      if (refused(() => checkPath(path, LIMITS))) return
      for (const system of [posix, win32]) {
        const root = system === posix ? '/tree' : 'D:\\tree'
        const resolved = system.resolve(root, path)
        expect(resolved.startsWith(root + system.sep)).toBe(true)
        expect(system.isAbsolute(path)).toBe(false)
        // Nothing was collapsed on the way: as many parts as there were segments.
        expect(resolved.slice(root.length + 1).split(system.sep).length).toBe(path.split('/').length)
      }
      // Nothing that a terminal or a C string would stumble over.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
      expect(/[\u0000-\u001f\u007f-\u009f\\]/.test(path)).toBe(false)
      expect(Buffer.byteLength(path)).toBeLessThanOrEqual(1024)
      // Also once ignorables are dropped, as some file systems do.
      for (const segment of path.split('/'))
        expect(['', '.', '..']).not.toContain(segment.replace(/\p{Default_Ignorable_Code_Point}/gu, ''))
    }),
    { numRuns: 20_000 },
  )
})

const alphabet = [
  'a',
  'A',
  'b',
  '\u00e9',
  'e\u0301',
  'E\u0301',
  '\u00c9',
  'ss',
  '\u00df',
  'a\u200d',
  '\u212a',
  'k',
  '\u017f',
]
const smallPath = fc
  .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join('/'))

/** Slow and plain: two paths collide if a folded prefix of one is the whole of the other, or in another spelling. */
function collide(a: string, b: string): boolean {
  const [one, two] = [a.split('/'), b.split('/')]
  for (let length = 1; length <= Math.min(one.length, two.length); length++) {
    const [p, q] = [one.slice(0, length), two.slice(0, length)]
    const same = p.map(foldSegment).join('/') === q.map(foldSegment).join('/')
    if (!same) return false
    if (length === one.length || length === two.length || p.join('/') !== q.join('/')) return true
  }
  return false
}

test('a set of paths is refused exactly if two of them collide', () => {
  fc.assert(
    fc.property(fc.array(smallPath, { maxLength: 6 }), (paths) => {
      const tree = new PathTree(LIMITS)
      const found = refused(() => {
        for (const path of paths) tree.add(path)
      })
      const expected = paths.some((a, at) => paths.slice(0, at).some((b) => collide(a, b)))
      expect(found).toBe(expected)
    }),
    { numRuns: 5_000 },
  )
})

test('folding forgets case, Unicode form and what is not shown, and is idempotent', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 8 }), (text) => {
      const folded = foldSegment(text)
      for (const other of [text.normalize('NFC'), text.normalize('NFD'), `${text}\u200b`, `\ufe0f${text}`])
        expect(foldSegment(other)).toBe(folded)
      expect(foldSegment(folded)).toBe(folded)
    }),
    { numRuns: 5_000, examples: [['ẞ'], ['ΑΣ'], ['K']] },
  )
})

test('paths are ordered as their UTF-8 bytes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 }).filter((given) => given.isWellFormed())
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(comparePaths(a, b))).toBe(Math.sign(Buffer.from(a).compare(Buffer.from(b))))
    }),
  )
})
