import { expect, test } from 'vitest'
import { decodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { decodeHeader, encodeHeader } from '../../../src/codec/header.ts'
import { checkAttached, releaseGossip } from '../../../src/core/inline.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Name } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { makeRelease } from '../../../src/sim/fleet.ts'
import { SimTrust } from '../../../src/sim/trust.ts'

const trust = new SimTrust(1)
const publisher = 'alpha' as Name

/** A release of one file of so many bytes, in blocks of 16 KiB, no two of them the same. */
function made(bytes: number) {
  const file = new Uint8Array(bytes)
  for (let at = 0; at + 4 <= bytes; at += 16_384) file.set([at >>> 24, at >>> 16, at >>> 8], at)
  const order = {
    ...{ fleetId: trust.fleetId, root: trust.version, channel: 'app/config' as Channel, publisher },
    ...{ clock: new Map([[publisher, 1]]), message: '', created: 1, files: new Map([['a', file]]) },
  }
  const { header, envelope, content } = makeRelease(order, (payload) => trust.sign(publisher, payload))
  const release: Release = decodeHeader(encodeHeader(header), LIMITS)
  const pages = header.pages.map((digest) => content.get(digest) as Uint8Array)
  const blocks = [...content].filter(([digest]) => !header.pages.includes(digest)).map(([, block]) => block)
  return { release, envelope, content, pages, blocks }
}

const said = ({ release, envelope, content, pages }: ReturnType<typeof made>) =>
  releaseGossip(release, envelope, content, pages, LIMITS)

test('a small release travels with all its content', () => {
  const small = made(5_000)
  const { bytes, whole } = said(small)
  expect(whole).toBe(true)
  const { attached } = decodeReleaseGossip(bytes, LIMITS)
  expect(checkAttached(small.release, attached, LIMITS)).toEqual({ kind: 'whole', content: small.content })
})

test('a larger one with its manifest alone, which counts once it is checked', () => {
  const large = made(400_000)
  const { bytes, whole } = said(large)
  expect(whole).toBe(false)
  const { attached } = decodeReleaseGossip(bytes, LIMITS)
  expect(attached).toEqual(large.pages)
  const page = large.release.header.pages[0]
  const content = new Map([[page, large.pages[0]]])
  expect(checkAttached(large.release, attached, LIMITS)).toEqual({ kind: 'manifest', content })
})

test('one with a manifest that is too long for two flights travels as its header', () => {
  const { bytes, whole } = said(made(16_384 * 800))
  expect(whole).toBe(false)
  expect(decodeReleaseGossip(bytes, LIMITS).attached).toEqual([])
})

test('one whose pages were not kept travels as its header', () => {
  const { release, envelope } = made(400_000)
  const { bytes } = releaseGossip(release, envelope, new Map(), undefined, LIMITS)
  expect(decodeReleaseGossip(bytes, LIMITS).attached).toEqual([])
})

test('a wrong page, and a manifest with some of the blocks, are the fault of who sent them', () => {
  const { release, pages, blocks } = made(400_000)
  const kind = (attached: readonly Uint8Array[]) => checkAttached(release, attached, LIMITS).kind
  expect(kind([Uint8Array.of(1)])).toBe('wrong')
  expect(kind([...pages, ...blocks.slice(0, 2)])).toBe('wrong')
})

test('more content than one flight holds does not count, whoever attached it', () => {
  const { release, pages, blocks } = made(20_000)
  expect(checkAttached(release, [...pages, ...blocks], LIMITS)).toMatchObject({
    kind: 'unusable',
    code: 'LIMIT_BYTES',
  })
})
