import { CID } from 'multiformats/cid'
import * as Multihash from 'multiformats/hashes/digest'
import { expect, test } from 'vitest'
import { fromCid, toCid } from '../../../src/codec/cid.ts'
import { hexToBytes } from '../../../src/codec/digest.ts'
import { codeOf } from './refusal.ts'
import { digestOf } from './samples.ts'

const hash = hexToBytes(digestOf('block'))

test('a digest is CIDv1, raw, SHA-256, and back', () => {
  expect(fromCid(toCid(digestOf('block')))).toBe(digestOf('block'))
  expect(toCid(digestOf('')).toString().startsWith('bafkrei')).toBe(true)
})

test.each([
  ['identity hash', 0x55, 0x00, hash],
  ['identity hash of nothing', 0x55, 0x00, new Uint8Array(0)],
  ['SHA-256 truncated to 20 bytes', 0x55, 0x12, hash.subarray(0, 20)],
  ['SHA-256 of nothing', 0x55, 0x12, new Uint8Array(0)],
  ['SHA-256 of 33 bytes', 0x55, 0x12, new Uint8Array(33)],
  ['SHA-1', 0x55, 0x11, new Uint8Array(20)],
  ['SHA-512', 0x55, 0x13, new Uint8Array(64)],
  ['SHA3-256', 0x55, 0x16, hash],
  ['BLAKE2b-256', 0x55, 0xb220, hash],
  ['dag-pb', 0x70, 0x12, hash],
  ['dag-cbor', 0x71, 0x12, hash],
])('refuses: %s', (_, codec, code, bytes) => {
  expect(codeOf(() => fromCid(CID.createV1(codec, Multihash.create(code, bytes))))).toBe('CODEC_MALFORMED')
})

test('refuses: CIDv0', () => {
  expect(codeOf(() => fromCid(CID.createV0(Multihash.create(0x12, hash))))).toBe('CODEC_MALFORMED')
})
