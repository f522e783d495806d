/** What is kept of manifests once they were read over HTTP. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { ENTRIES } from '../../../scripts/limits-entries.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { type Content, createContent } from '../../../src/daemon/content.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import type { ManifestEntry } from '../../../src/model/manifest.ts'
import type { Release } from '../../../src/model/release.ts'
import { bytes, release, storeOf } from './view-of.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const lost = (of: Release) => new MeshError('STORE_CORRUPT', of.id)
const empty = (path: string): ManifestEntry => ({
  path,
  mode: 0o444,
  size: 0,
  digest: sha256(''),
  blocks: [],
})

/** Of 100 files, which is more than one counts at least. */
const page = (name: string) =>
  encodePage(Array.from({ length: 100 }, (_, at) => empty(`${name}/${String(at).padStart(2, '0')}`)))

function reading(maxKeptManifestBytes: number) {
  const { blocks, put, store } = storeOf()
  const content = createContent(store, { ...LIMITS, maxKeptManifestBytes }, lost)
  const get = vi.spyOn(blocks, 'get')
  return {
    put,
    /** Pages that are read for it. */
    reads: async (of: Release) => {
      get.mockClear()
      await content.files(of)
      return get.mock.calls.length
    },
  }
}

test('the oldest goes once the pages of all are longer than allowed, the newest never', async () => {
  const { put, reads } = reading(2 * page('a').length)
  const [a, b, c] = ['a', 'b', 'c'].map((name) => release(name, 1, [put(page(name))])) as [
    Release,
    Release,
    Release,
  ]
  const long = release(
    'long',
    1,
    ['d', 'e', 'f', 'g'].map((name) => put(page(name))),
  )
  expect([await reads(a), await reads(b), await reads(a), await reads(b)]).toEqual([1, 1, 0, 0])
  expect([await reads(c), await reads(b), await reads(c), await reads(a)]).toEqual([1, 0, 0, 1])
  expect([await reads(long), await reads(long), await reads(a), await reads(c)]).toEqual([4, 0, 1, 1])
  // what is read again counts as new
  expect([await reads(a), await reads(b), await reads(a)]).toEqual([0, 1, 0])
})

test('of nine channels in turn none is read twice, though each counts 4 KiB at least', async () => {
  for (const [room, again] of [
    [9 * 4_096, 0],
    [9 * 4_096 - 1, 1],
  ] as const) {
    const { put, reads } = reading(room)
    const made = Array.from({ length: 9 }, (_, at) =>
      release(`${at}`, 1, [put(encodePage([empty(`${at}`)]))], `pay/${at}` as Channel),
    )
    for (const one of made) expect(await reads(one)).toBe(1)
    for (const one of made) expect(await reads(one)).toBe(again)
  }
})

test('of one channel four are kept: what was replaced before is read again', async () => {
  const { put, reads } = reading(LIMITS.maxKeptManifestBytes)
  const other = release('other', 1, [put(page('other'))], 'pay/other' as Channel)
  const made = Array.from({ length: 5 }, (_, at) => release(`${at}`, 1, [put(page(`${at}`))]))
  for (const one of [other, ...made]) expect(await reads(one)).toBe(1)
  for (const one of [other, ...made.slice(1)]) expect(await reads(one)).toBe(0)
  expect(await reads(made[0] as Release)).toBe(1)
})

function heldBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test('a download that is open holds no list of what is to come', async () => {
  const { put, store } = storeOf()
  const refs = Array(5_000).fill({ digest: put(bytes('x')), size: 1 })
  const made = release('r', 1, [put(encodePage([{ ...empty('f'), size: refs.length, blocks: refs }]))])
  const content = createContent(store, LIMITS, lost)
  const open: AsyncIterator<Uint8Array>[] = []
  const held = async (downloads: number) => {
    for (let at = 0; at < downloads; at += 1) {
      const parts = (await content.bytes(made, 'f'))[Symbol.asyncIterator]()
      expect((await parts.next()).value).toHaveLength(1)
      open.push(parts)
    }
    return heldBytes()
  }
  const before = await held(20)
  const each = ((await held(100)) - before) / 100
  expect(each, `${each} bytes for each`).toBeLessThan(16 * 1024)
  expect(open).toHaveLength(120)
})

const digest = sha256('')
test.each([
  ['files', Array.from({ length: 2_000 }, (_, at) => empty(at.toString(36).padStart(3, '0')))],
  ['blocks', [{ ...empty('f'), size: 5_000, blocks: Array(5_000).fill({ digest, size: 1 }) }]],
])(
  'a byte of a page with as many %s as may be takes no more than docs/limits.md counts',
  async (_, entries) => {
    const { put, store } = storeOf()
    const page = encodePage(entries)
    const made = release('r', 1, [put(page)])
    const kept: Content[] = []
    const held = async (more: number) => {
      for (let at = 0; at < more; at += 1) {
        const content = createContent(store, LIMITS, lost)
        await content.files(made)
        kept.push(content)
      }
      return heldBytes()
    }
    const before = await held(4)
    const times = ((await held(16)) - before) / 16 / page.length
    expect(times, `${times} bytes for each`).toBeLessThan(1.5 * ENTRIES.manifestByte)
    expect(kept).toHaveLength(20)
  },
)
