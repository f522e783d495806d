import { describe, expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { hexToBytes } from '../../../src/codec/digest.ts'
import { asCbor } from '../../../src/codec/extra.ts'
import { checkManifest, ManifestReader } from '../../../src/codec/manifest.ts'
import { decodePage, encodePage } from '../../../src/codec/page.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { ManifestEntry, ManifestPage } from '../../../src/model/manifest.ts'
import { codeOf } from './refusal.ts'
import { digestOf } from './samples.ts'

const block = (size: number, text = 'block') => ({ digest: digestOf(text), size })
const file = (path: string, sizes: readonly number[], more: Partial<ManifestEntry> = {}): ManifestEntry => ({
  path,
  mode: 0o444,
  size: sizes.reduce((sum, size) => sum + size, 0),
  digest: digestOf(sizes.length === 0 ? '' : path),
  blocks: sizes.map((size) => block(size)),
  ...more,
})
const declare = (pages: readonly ManifestPage[], files: number, bytes: number) => ({
  pages: pages.map((_, index) => digestOf(`page ${index}`)),
  files,
  bytes,
})
const check = (pages: readonly ManifestPage[], files: number, bytes: number, limits = LIMITS): string =>
  codeOf(() => checkManifest(declare(pages, files, bytes), pages, limits))

describe('a page by itself', () => {
  const raw = (more: object = {}) => ({
    path: 'a',
    mode: 0o444,
    size: 3,
    digest: hexToBytes(digestOf('a')),
    blocks: [[hexToBytes(digestOf('a')), 3]],
    ...more,
  })
  const decode = (value: unknown, limits = LIMITS as object): string =>
    codeOf(() => decodePage(encode(value), { ...LIMITS, ...limits }))

  test.each([
    ['as it should be', {}, 'accepted'],
    ['mode 0555', { mode: 0o555 }, 'accepted'],
    ['mode 0644', { mode: 0o644 }, 'CONTENT_PATH'],
    ['mode 0777', { mode: 0o777 }, 'CONTENT_PATH'],
    ['set-user-id', { mode: 0o4555 }, 'CONTENT_PATH'],
    ['set-group-id', { mode: 0o2555 }, 'CONTENT_PATH'],
    ['sticky', { mode: 0o1444 }, 'CONTENT_PATH'],
    ['link', { mode: 0o120444 }, 'CONTENT_PATH'],
    ['device', { mode: 0o60444 }, 'CONTENT_PATH'],
    ['regular file with its type', { mode: 0o100444 }, 'CONTENT_PATH'],
    ['mode as text', { mode: '0444' }, 'CONTENT_PATH'],
    ['block of 0 bytes', { blocks: [[hexToBytes(digestOf('a')), 0]] }, 'LIMIT_CONTENT'],
    ['block of 256 KiB', { blocks: [[hexToBytes(digestOf('a')), 262_144]] }, 'accepted'],
    ['block of 256 KiB + 1', { blocks: [[hexToBytes(digestOf('a')), 262_145]] }, 'LIMIT_CONTENT'],
    ['negative size', { size: -1 }, 'CODEC_MALFORMED'],
    ['size beyond a release', { size: LIMITS.maxReleaseBytes + 1 }, 'LIMIT_CONTENT'],
    ['digest of 31 bytes', { digest: new Uint8Array(31) }, 'CODEC_MALFORMED'],
    ['digest as text', { digest: digestOf('a') }, 'CODEC_MALFORMED'],
    ['block without size', { blocks: [[hexToBytes(digestOf('a'))]] }, 'CODEC_MALFORMED'],
    ['block with more', { blocks: [[hexToBytes(digestOf('a')), 1, 1]] }, 'CODEC_MALFORMED'],
    ['no path', { path: 1 }, 'CODEC_MALFORMED'],
    ['path of 1025 bytes', { path: 'a'.repeat(1025) }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => {
    expect(decode([raw(more)])).toBe(code)
  })

  test('a page is a list with at least one file', () => {
    expect(decode([])).toBe('CODEC_MALFORMED')
    expect(decode({})).toBe('CODEC_MALFORMED')
    expect(decode([[]])).toBe('CODEC_MALFORMED')
  })

  test('unknown names of an entry are kept', () => {
    const bytes = encode([raw({ xattr: { a: 1 } })])
    const page = decodePage(bytes, LIMITS)
    expect(page[0]?.extra).toEqual(asCbor.pack({ xattr: { a: 1 } }))
    expect(encodePage(page)).toEqual(bytes)
  })

  test('bytes: exactly the limit passes, one more is refused', () => {
    const size = encode([raw()]).length
    expect(decode([raw()], { maxPageBytes: size })).toBe('accepted')
    expect(decode([raw()], { maxPageBytes: size - 1 })).toBe('LIMIT_BYTES')
  })
})

describe('sums', () => {
  const pages = [[file('a', [3]), file('b', [])], [file('c', [2, 2])]]
  test.each([
    ['as declared', pages, 3, 7, 'accepted'],
    ['one file less', pages, 2, 7, 'LIMIT_CONTENT'],
    ['one file more', pages, 4, 7, 'LIMIT_CONTENT'],
    ['one byte less', pages, 3, 6, 'LIMIT_CONTENT'],
    ['one byte more', pages, 3, 8, 'LIMIT_CONTENT'],
    ['blocks less than the size', [[file('a', [3], { size: 4 })]], 1, 4, 'LIMIT_CONTENT'],
    ['blocks more than the size', [[file('a', [3], { size: 2 })]], 1, 2, 'LIMIT_CONTENT'],
    ['no blocks for a size', [[file('a', [], { size: 2 })]], 1, 2, 'LIMIT_CONTENT'],
    ['blocks for no size', [[file('a', [3], { size: 0 })]], 1, 0, 'LIMIT_CONTENT'],
    [
      'an empty file with another digest',
      [[file('a', [], { digest: digestOf('x') })]],
      1,
      0,
      'LIMIT_CONTENT',
    ],
  ])('%s', (_, given, files, bytes, code) => {
    expect(check(given, files, bytes)).toBe(code)
  })

  test('sizes whose sum would pass 2^53 are refused at the first step beyond what the header says', () => {
    const huge = Array.from({ length: 3 }, (_, at) => file(`${at}`, [1], { size: Number.MAX_SAFE_INTEGER }))
    expect(check([huge], 3, 3)).toBe('LIMIT_CONTENT')
  })

  test('10 million files: refused at the first file beyond what the header may say', () => {
    const reader = new ManifestReader(
      { pages: new Array(256).fill(digestOf('p')), files: 5, bytes: 0 },
      LIMITS,
    )
    reader.add(['a', 'b', 'c', 'd', 'e'].map((path) => file(path, [])))
    expect(codeOf(() => reader.add([file('f', [])]))).toBe('LIMIT_CONTENT')
  })
})

describe('pages', () => {
  test('fewer or more than the header names are refused', () => {
    const declared = { ...declare([], 1, 1), pages: [digestOf('p')] }
    expect(codeOf(() => checkManifest(declared, [], LIMITS))).toBe('CODEC_MALFORMED')
    expect(codeOf(() => checkManifest(declared, [[file('a', [1])], [file('b', [1])]], LIMITS))).toBe(
      'CODEC_MALFORMED',
    )
  })

  test('paths ascend within a page and from page to page', () => {
    expect(check([[file('b', [1]), file('a', [1])]], 2, 2)).toBe('CODEC_MALFORMED')
    expect(check([[file('b', [1])], [file('a', [1])]], 2, 2)).toBe('CODEC_MALFORMED')
    expect(check([[file('a', [1])], [file('a', [1])]], 2, 2)).toBe('CODEC_MALFORMED')
    expect(check([[file('\uffee', [1]), file('\u{10000}', [1])]], 2, 2)).toBe('accepted')
  })

  test('collisions are found from page to page', () => {
    expect(check([[file('A/x', [1])], [file('a/y', [1])]], 2, 2)).toBe('CONTENT_PATH')
    expect(check([[file('a', [1])], [file('a/b', [1])]], 2, 2)).toBe('CONTENT_PATH')
    expect(check([[file('../a', [1])]], 1, 1)).toBe('CONTENT_PATH')
  })

  describe('a file that goes on', () => {
    const part = (sizes: readonly number[], more: Partial<ManifestEntry> = {}) =>
      file('b', sizes, { size: 6, ...more })
    const start = [file('a', [1]), part([2])]

    test.each([
      ['in the next page', [start, [part([4])]], 'accepted'],
      ['over three pages', [start, [part([2])], [part([2]), file('c', [1])]], 'accepted'],
      ['and never ends', [start, [part([2])]], 'LIMIT_CONTENT'],
      ['and has too many blocks', [start, [part([5])]], 'LIMIT_CONTENT'],
      ['with another path', [start, [part([4], { path: 'b2' })]], 'LIMIT_CONTENT'],
      ['with another mode', [start, [part([4], { mode: 0o555 })]], 'LIMIT_CONTENT'],
      ['with another size', [start, [part([4], { size: 7 })]], 'LIMIT_CONTENT'],
      ['with another digest', [start, [part([4], { digest: digestOf('x') })]], 'LIMIT_CONTENT'],
      ['without blocks', [start, [part([])], [part([4])]], 'LIMIT_CONTENT'],
      ['in the same page', [[part([2]), part([4])]], 'LIMIT_CONTENT'],
      ['though it was complete', [[part([6])], [part([6])]], 'CODEC_MALFORMED'],
    ])('%s', (_, pages, code) => {
      const entries = pages.flat().filter((entry, at, all) => at === 0 || all[at - 1]?.path !== entry.path)
      const bytes = entries.reduce((sum, entry) => sum + entry.size, 0)
      expect(check(pages, entries.length, bytes)).toBe(code)
    })
  })
})
