import { describe, expect, test } from 'vitest'
import { checkPath, comparePaths, PathTree } from '../../../src/codec/path.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'

const check = (path: string): string => codeOf(() => checkPath(path, LIMITS))

describe('segments that are refused wherever they stand', () => {
  const bad: readonly (readonly [string, string])[] = [
    ['parent', '..'],
    ['self', '.'],
    ['empty', ''],
    ['NUL', 'a\0b'],
    ['line end', 'a\nb'],
    ['escape', '\u001b[2J'],
    ['delete', 'a\u007f'],
    ['C1 control', 'a\u0085b'],
    ['backslash', 'a\\b'],
    ['backslashes that climb', '..\\..'],
    ['drive', 'C:'],
    ['drive with a name', 'c:evil'],
    ['trailing dot', 'a.'],
    ['three dots', '...'],
    ['trailing blank', 'a '],
    ['blank', ' '],
    ['trailing no-break space', 'a\u00a0'],
    ['parent behind a zero-width joiner', '..\u200d'],
    ['nothing but ignorables', '\u200b\u200d'],
    ['lone surrogate', 'a\ud800'],
    ['256 bytes', 'a'.repeat(256)],
    ['256 bytes of two-byte characters', 'é'.repeat(128)],
  ]
  const positions: readonly (readonly [string, (segment: string) => string])[] = [
    ['alone', (s) => s],
    ['first', (s) => `${s}/a`],
    ['in the middle', (s) => `a/${s}/b`],
    ['last', (s) => `a/${s}`],
  ]
  for (const [what, segment] of bad)
    test.each(positions)(`${what}, %s`, (_, at) => expect(check(at(segment))).toBe('CONTENT_PATH'))
})

test('a segment that climbs is named as what it is', () => {
  expect(() => checkPath('a/../b', LIMITS)).toThrow('has the segment ".."')
})

describe('whole paths', () => {
  test.each(['/etc/passwd', '//a', 'a/', '/', '', '../../etc/passwd', '\ufeffa'])('%j is refused', (path) =>
    expect(check(path)).toBe('CONTENT_PATH'),
  )

  test('exactly 1024 bytes pass, one more is refused', () => {
    const path = `${'a/'.repeat(511)}bb`
    expect(Buffer.byteLength(path)).toBe(1024)
    expect(check(path)).toBe('accepted')
    expect(check(`${path}b`)).toBe('CONTENT_PATH')
  })

  test.each([
    ['maxPathBytes', `${'a/'.repeat(511)}bb`],
    ['maxPathSegmentBytes', 'a'.repeat(255)],
  ] as const)(
    'what is over a lower %s of this host, and not over the built-in one, is no bad path',
    (name, path) => {
      const under = (most: number, text: string) => codeOf(() => checkPath(text, { ...LIMITS, [name]: most }))
      expect(under(LIMITS[name] - 1, path)).toBe('LIMIT_CONTENT')
      expect(() => checkPath(path, { ...LIMITS, [name]: 1 })).toThrow(
        `1 bytes (limits.${name}), a limit of this host`,
      )
      for (const most of [1, LIMITS[name]]) expect(under(most, `${path}b`)).toBe('CONTENT_PATH')
      expect(under(LIMITS[name] + 1, `${path}b`)).toBe('accepted')
      expect(under(LIMITS[name] + 1, `${path}bb`)).toBe('CONTENT_PATH')
    },
  )

  test.each([
    '.env',
    '.config/a',
    'a b',
    'a..b',
    'größe.txt',
    '日本語',
    'README',
    `${'a'.repeat(255)}`,
    'ab:c',
    '__proto__',
  ])('%j is taken', (path) => expect(check(path)).toBe('accepted'))

  test('order is that of UTF-8 bytes, where code units differ', () => {
    expect(comparePaths('\uffee', '\u{10000}')).toBeLessThan(0)
    expect(comparePaths('a', 'a/b')).toBeLessThan(0)
    expect(comparePaths('a.b', 'a/b')).toBeLessThan(0)
    expect(comparePaths('b', 'a')).toBeGreaterThan(0)
    expect(comparePaths('a', 'a')).toBe(0)
  })
})

describe('collisions', () => {
  const add = (...paths: string[]): string =>
    codeOf(() => {
      const tree = new PathTree(LIMITS)
      for (const path of paths) tree.add(path)
    })

  test.each([
    ['the same file twice', 'a', 'a'],
    ['case', 'README', 'readme'],
    ['case of a folder', 'A/x', 'a/y'],
    ['case of a folder within', 'x/A/x', 'x/a/y'],
    ['NFC and NFD', 'caf\u00e9', 'cafe\u0301'],
    ['NFC and NFD of a folder', 'caf\u00e9/x', 'cafe\u0301/y'],
    ['case and NFD at once', 'CAF\u00c9', 'cafe\u0301'],
    ['sharp s', 'stra\u00dfe', 'STRASSE'],
    ['long s', '\u017fet', 'set'],
    ['Kelvin sign', '\u212a', 'k'],
    ['final sigma', '\u03b1\u03c2', '\u0391\u03a3'],
    ['ligature', '\ufb01le', 'file'],
    ['zero-width joiner', 'a\u200db', 'ab'],
    ['soft hyphen', 'a\u00adb', 'ab'],
    ['variation selector', 'a\ufe0f', 'a'],
    ['file, then folder', 'a', 'a/b'],
    ['folder, then file', 'a/b', 'a'],
    ['file and folder by case', 'A', 'a/b'],
    ['folder and file by case', 'a/b', 'A'],
  ])('%s', (_, first, second) => {
    expect(add(first, second)).toBe('CONTENT_PATH')
    expect(add(second, first)).toBe('CONTENT_PATH')
    expect(add('0', first, 'm/n', second)).toBe('CONTENT_PATH')
  })

  test('neighbours that are different everywhere are taken', () => {
    expect(
      add('a', 'a.b', 'ab', 'b/a', 'b/b', 'b/c/a', 'c/a', 'constructor', '__proto__/x', 'toString'),
    ).toBe('accepted')
  })

  test('folders are bounded as files are', () => {
    const tree = new PathTree({ ...LIMITS, maxFiles: 10 })
    tree.add(`${'d/'.repeat(10)}f`)
    expect(codeOf(() => tree.add('e/f'))).toBe('LIMIT_CONTENT')
  })
})
