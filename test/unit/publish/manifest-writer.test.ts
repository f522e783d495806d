import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { checkManifest } from '../../../src/codec/manifest.ts'
import { decodePage } from '../../../src/codec/page.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { ManifestEntry } from '../../../src/model/manifest.ts'
import { ManifestWriter } from '../../../src/publish/manifest-writer.ts'

const file = (path: string, blocks = 1): ManifestEntry => ({
  path,
  mode: 0o444,
  size: blocks,
  digest: sha256(Buffer.from(path)),
  blocks: Array.from({ length: blocks }, (_, at) => ({
    digest: sha256(Buffer.from(`${path} ${at}`)),
    size: 1,
  })),
})

function written(files: readonly ManifestEntry[], limits: Limits = LIMITS) {
  const writer = new ManifestWriter(limits)
  for (const each of files) writer.add(each)
  return writer.end()
}

const numbered = (count: number): ManifestEntry[] =>
  Array.from({ length: count }, (_, at) => file(`vendor/package-${String(at).padStart(6, '0')}/dist/main.js`))

test('A file that comes or goes near the front makes few pages new, wherever its list is cut', () => {
  const base = numbered(20_000)
  const known = new Set(written(base).map(({ digest }) => digest))
  const fresh = (files: readonly ManifestEntry[]) =>
    written(files).filter(({ digest }) => !known.has(digest)).length
  for (const at of [1, 777, 4_242, 9_001]) {
    const path = `${base[at]?.path}.map`
    expect(fresh(base.toSpliced(at + 1, 0, file(path)))).toBeLessThanOrEqual(4)
    expect(fresh(base.toSpliced(at, 1))).toBeLessThanOrEqual(4)
    expect(fresh(base.with(at, file(base[at]?.path ?? '', 40)))).toBeLessThanOrEqual(4)
  }
})

test('Files of many blocks are cut as often for their bytes as files of one', () => {
  const base = Array.from({ length: 400 }, (_, at) => file(`disk-${String(at).padStart(3, '0')}.img`, 200))
  const known = new Set(written(base).map(({ digest }) => digest))
  const after = written([file('a-first.img', 200), ...base])
  expect(known.size).toBeGreaterThan(15)
  expect(after.filter(({ digest }) => !known.has(digest)).length).toBeLessThanOrEqual(4)
})

test('The most files a release may have fit the pages it may have: a tenth of them, a tenth', () => {
  expect(written(numbered(LIMITS.maxFiles / 10)).length).toBeLessThanOrEqual(LIMITS.maxPages / 10)
})

test('A list that would take more pages than a header names is packed full, and only beyond that refused', () => {
  const small: Limits = { ...LIMITS, maxPageBytes: 4_096 }
  const files = [...numbered(40), file('whole/of-many-blocks.img', 300), file('zz/last', 90)]
  const most = written(files, small).length
  let least = most
  for (let maxPages = most - 1; ; maxPages -= 1) {
    const limits = { ...small, maxPages }
    let pages: ReturnType<typeof written>
    try {
      pages = written(files, limits)
    } catch (error) {
      expect(error).toMatchObject({ code: 'LIMIT_CONTENT' })
      break
    }
    least = pages.length
    const header = { pages: pages.map(({ digest }) => digest), files: files.length, bytes: 430 }
    checkManifest(
      header,
      pages.map(({ bytes }) => decodePage(bytes, limits)),
      limits,
    )
  }
  expect(least).toBeLessThan(most)
})
