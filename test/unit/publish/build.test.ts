import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { checkManifest } from '../../../src/codec/manifest.ts'
import { decodePage } from '../../../src/codec/page.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import type { ManifestEntry, ManifestPage } from '../../../src/model/manifest.ts'
import { build } from '../../../src/publish/build.ts'
import type { Content } from '../../../src/publish/content.ts'
import { ManifestWriter } from '../../../src/publish/manifest-writer.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open) }
})

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-build-'))
})
afterEach(() => {
  vi.mocked(open).mockReset()
  rmSync(dir, { recursive: true, force: true })
})

const put = (path: string, bytes: string | Uint8Array, mode = 0o644): void => {
  const file = join(dir, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, bytes)
  chmodSync(file, mode)
}

async function pagesOf(content: Content): Promise<ManifestPage[]> {
  const pages: ManifestPage[] = []
  for (const digest of content.pages) {
    const bytes = await content.read(digest)
    if (bytes === undefined || sha256(bytes) !== digest) throw new Error('a page is missing')
    pages.push(decodePage(bytes, LIMITS))
  }
  return pages
}

const codeOf = (paths: string[], limits: Limits = LIMITS): Promise<string> =>
  build(paths, { limits }).then(
    () => 'accepted',
    (error) => error.code,
  )

test('A folder becomes pages that every node accepts, and each byte can be read back by its digest', async () => {
  const big = new Uint8Array(LIMITS.maxBlockBytes * 2 + 5).map((_, index) => index * 7)
  put('b/app.yaml', 'a: 1\n')
  put('a.sh', '#!/bin/sh\n', 0o755)
  put('big.bin', big)
  put('empty', '')
  const content = await build([dir], { limits: LIMITS })
  const pages = await pagesOf(content)
  checkManifest(content, pages, LIMITS)
  const entries = pages.flat()
  expect(entries.map(({ path, mode }) => [path, mode])).toEqual([
    ['a.sh', 0o555],
    ['b/app.yaml', 0o444],
    ['big.bin', 0o444],
    ['empty', 0o444],
  ])
  expect(content.bytes).toBe(big.length + 5 + 10)
  for (const { blocks, digest } of entries) {
    const parts = await Promise.all(blocks.map((block) => content.read(block.digest)))
    expect(sha256(Buffer.concat(parts.map((part) => part ?? new Uint8Array())))).toBe(digest)
  }
  expect((await build([dir], { limits: LIMITS })).pages).toEqual(content.pages)
})

test('The most that a seed can lack is every page and block once', async () => {
  put('one', 'the same')
  put('two', 'the same')
  put('three', 'another')
  const content = await build([dir], { limits: LIMITS })
  const lengths = await Promise.all(
    content.pages.map(async (page) => (await content.read(page))?.length ?? 0),
  )
  const pages = lengths.reduce((sum, length) => sum + length, 0)
  expect(content.uploadBytes).toBe(pages + 'the same'.length + 'another'.length)
})

test('Of a large file it is told how far it is read', async () => {
  put('big.bin', new Uint8Array(LIMITS.maxBlockBytes * 9))
  const told: number[] = []
  await build([dir], { limits: LIMITS, onProgress: (bytes) => void told.push(bytes) })
  expect(told.length).toBeGreaterThan(8)
  expect(told.at(-1)).toBe(LIMITS.maxBlockBytes * 9)
})

test('Files are taken by their own names', async () => {
  put('x/one', '1')
  put('y/two', '2')
  const content = await build([join(dir, 'y/two'), join(dir, 'x/one')], { limits: LIMITS })
  expect((await pagesOf(content)).flat().map(({ path }) => path)).toEqual(['one', 'two'])
})

test('What no release may hold is refused before anything is sent', async () => {
  expect(await codeOf([join(dir, 'nowhere')])).toBe('INPUT_PATH')
  mkdirSync(join(dir, 'empty/in'), { recursive: true })
  expect(await codeOf([dir])).toBe('CONTENT_EMPTY')
  put('good', 'x')
  expect(await codeOf([dir, dir])).toBe('USAGE')
  symlinkSync('/etc/passwd', join(dir, 'link'))
  expect(await codeOf([dir])).toBe('CONTENT_PATH')
  expect(await codeOf([join(dir, 'link')])).toBe('CONTENT_PATH')
  rmSync(join(dir, 'link'))
  for (const bad of ['back\\slash', 'GOOD', 'dot.', 'new\nline']) {
    put(bad, 'x')
    expect([bad, await codeOf([dir])]).toEqual([bad, 'CONTENT_PATH'])
    rmSync(join(dir, bad))
  }
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff])]), 'x')
  expect(await codeOf([dir])).toBe('CONTENT_PATH')
})

test('Limits of files and bytes hold while reading, not after', async () => {
  put('a', 'aaaa')
  put('b', 'bbbb')
  expect(await codeOf([dir], { ...LIMITS, maxFiles: 1 })).toBe('LIMIT_CONTENT')
  expect(await codeOf([dir], { ...LIMITS, maxReleaseBytes: 7 })).toBe('LIMIT_CONTENT')
  expect(await codeOf([dir], { ...LIMITS, maxReleaseBytes: 8 })).toBe('accepted')
})

/** What it ends with. */
const textOf = (): Promise<string> =>
  build([dir], { limits: LIMITS }).then(
    () => 'accepted',
    (error) => `${error.code} ${error.message}`,
  )

const MARK = '\ufeff'
test.each([
  ['a file', `${MARK}app.conf`, '', 'begins with a byte order mark'],
  ['a folder, of which it is all the name', MARK, 'app.conf', 'begins with a byte order mark'],
  ['a folder that is not the one above', `${MARK}..`, 'app.conf', 'begins with a byte order mark'],
  ['a folder further down', `etc/${MARK}`, 'app.conf', 'a segment ends in a dot or blank'],
])('A byte order mark before the name of %s is a part of it', async (_, name, below, why) => {
  put('app.conf', 'another')
  put(join(name, below), 'text')
  expect(await textOf()).toBe(`CONTENT_PATH path ${JSON.stringify(name)}: ${why}; rename the file`)
})

test('A folder is refused for its name before what is in it is gone through', async () => {
  put('back\\slash/good', 'x')
  symlinkSync('/etc/passwd', join(dir, 'back\\slash/a link'))
  expect(await textOf()).toContain('holds a backslash')
})

test('A folder that holds no file is left out', async () => {
  put('app.conf', 'text')
  mkdirSync(join(dir, 'empty/in'), { recursive: true })
  const entries = (await pagesOf(await build([dir], { limits: LIMITS }))).flat()
  expect(entries.map(({ path }) => path)).toEqual(['app.conf'])
})

/** A file that is one hole: it takes no room on the disk, and as long to read as any other. */
const hole = (path: string, bytes: number): void => {
  put(path, '')
  truncateSync(join(dir, path), bytes)
}
const MIB = 1024 * 1024

/** How it ends, and how much of the files was read by then. */
async function readOf(limits: Limits): Promise<readonly [code: string, bytes: number]> {
  let read = 0
  const onProgress = (bytes: number) => {
    read = bytes
  }
  const code = await build([dir], { limits, onProgress }).then(
    () => 'accepted',
    (error) => error.code,
  )
  return [code, read]
}

test('A file that is larger than a release may be is refused before any of it is read', async () => {
  hole('a', 64 * MIB + 1)
  expect(await readOf({ ...LIMITS, maxReleaseBytes: 64 * MIB })).toEqual(['LIMIT_CONTENT', 0])
})

test('Files that are larger together than a release may be are refused before they are read to their ends', async () => {
  for (const path of ['a', 'b']) hole(path, 64 * MIB)
  const [code, read] = await readOf({ ...LIMITS, maxReleaseBytes: 100 * MIB })
  expect(code).toBe('LIMIT_CONTENT')
  expect(read).toBeLessThan(32 * MIB)
})

test('What is wrong with one file is told without those being read to their ends that are read beside it', async () => {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  hole('a', 64 * MIB)
  put('b', 'text')
  vi.mocked(open).mockImplementation(async (file, ...more) => {
    if (file === join(dir, 'b')) throw Object.assign(new Error('EIO: i/o error, open'), { code: 'EIO' })
    return real.open(file, ...more)
  })
  const [code, read] = await readOf(LIMITS)
  expect(code).toBe('STORE_FAILED')
  expect(read).toBeLessThan(32 * MIB)
})

test('A file that grows while it is read is refused, however long it would go on', async () => {
  // Said to have no bytes, and has some when it is read: as a log that grows after it was looked at.
  expect(await codeOf(['/proc/self/maps'])).toBe('CONTENT_DIGEST')
})

const half = new Uint8Array(LIMITS.maxBlockBytes * 10)
test.each([
  ['cut to nothing before its first byte is read', 1, (file: string) => truncateSync(file)],
  ['cut short half way', 2, (file: string) => truncateSync(file, half.length)],
  [
    'written over in its place, as long as before',
    2,
    (file: string) => writeFileSync(file, Buffer.concat([half, half])),
  ],
  [
    'written over in its place behind what was read',
    3,
    (file: string) => writeFileSync(file, Buffer.concat([half, half])),
  ],
])('A file that is %s is refused', async (_, at, change) => {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  put('big.bin', Buffer.concat([half, half]))
  const file = join(dir, 'big.bin')
  utimesSync(file, 1, 1)
  vi.mocked(open).mockImplementation(async (...args) => {
    const handle = await real.open(...args)
    const read = handle.read.bind(handle) as (...all: unknown[]) => Promise<never>
    let reads = 0
    const changing = async (...all: unknown[]) => {
      reads += 1
      if (reads === at) change(file)
      return read(...all)
    }
    return Object.assign(handle, { read: changing })
  })
  expect(await codeOf([dir])).toBe('CONTENT_DIGEST')
})

test('A file that changes between build and upload is found', async () => {
  put('a', 'before')
  const content = await build([dir], { limits: LIMITS })
  const [entry] = (await pagesOf(content)).flat()
  put('a', 'after!')
  await expect(content.read(entry?.blocks[0]?.digest as Digest)).rejects.toMatchObject({
    code: 'CONTENT_DIGEST',
  })
})

test('A file that the disk gives no more at the upload is named', async () => {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  put('a', 'text')
  const content = await build([dir], { limits: LIMITS })
  const [entry] = (await pagesOf(content)).flat()
  vi.mocked(open).mockImplementation(async (...args) => {
    const read = () => Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }))
    return Object.assign(await real.open(...args), { read })
  })
  await expect(content.read(entry?.blocks[0]?.digest as Digest)).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: `cannot read ${join(dir, 'a')}: EIO; look at the disk, or name a file on another`,
  })
})

test('Any files fill pages within their bound that read back as one manifest', () => {
  const file = fc.record({
    blocks: fc.integer({ min: 0, max: 60 }),
    // Each takes another number of bytes in the list; the last is the largest there is.
    blockSize: fc.constantFrom(1, 255, 65_535, LIMITS.maxBlockBytes),
    name: fc.string({ unit: fc.constantFrom('a', 'b', 'é'), minLength: 1, maxLength: 40 }),
  })
  const limits = { ...LIMITS, maxPageBytes: 2048 }
  fc.assert(
    fc.property(
      fc.uniqueArray(file, { selector: ({ name }) => name, minLength: 1, maxLength: 30 }),
      (files) => {
        const entries: ManifestEntry[] = files
          .toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
          .map(({ name, blocks, blockSize }) => ({
            path: name,
            mode: 0o444,
            size: blocks * blockSize,
            digest: sha256(new Uint8Array(blocks > 0 ? [blocks] : [])),
            blocks: Array.from({ length: blocks }, (_, index) => ({
              digest: sha256(new Uint8Array([index])),
              size: blockSize,
            })),
          }))
        const writer = new ManifestWriter(limits)
        for (const entry of entries) writer.add(entry)
        const pages = writer.end()
        for (const { bytes } of pages) expect(bytes.length).toBeLessThanOrEqual(limits.maxPageBytes)
        const bytes = files.reduce((sum, { blocks, blockSize }) => sum + blocks * blockSize, 0)
        const header = { pages: pages.map(({ digest }) => digest), files: files.length, bytes }
        checkManifest(
          header,
          pages.map((page) => decodePage(page.bytes, limits)),
          limits,
        )
      },
    ),
    { numRuns: 100 },
  )
})
