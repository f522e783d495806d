import { decode as decodeLoosely } from '@ipld/dag-cbor'
import { expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { MAX_TIME_MS } from '../../../src/codec/ids.ts'
import { decodePeerRecord, encodePeerRecord } from '../../../src/codec/peer-record.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'
import { peerRecord } from './samples.ts'

const raw = decodeLoosely(encodePeerRecord(peerRecord)) as object
const [address] = peerRecord.addresses
const foreign = address?.replace(/[^/]*$/, '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf')

test.each<[string, object, string]>([
  ['nothing changed', {}, 'accepted'],
  ['v 2', { v: 2, at: 'x' }, 'CODEC_UNSUPPORTED'],
  ['the last time there is', { at: MAX_TIME_MS }, 'accepted'],
  ['a time beyond it', { at: MAX_TIME_MS + 1 }, 'CODEC_MALFORMED'],
  ['an address of another peer', { addresses: [address, foreign] }, 'CODEC_MALFORMED'],
  ['16 addresses', { addresses: new Array(16).fill(address) }, 'accepted'],
  ['17 addresses', { addresses: new Array(17).fill(address) }, 'CODEC_MALFORMED'],
  ['3 certificates', { chain: new Array(3).fill(new Uint8Array(1)) }, 'CODEC_MALFORMED'],
  ['65 patterns', { patterns: new Array(65).fill('a') }, 'CODEC_MALFORMED'],
  ['a region that is no name', { region: 'EU' }, 'CODEC_MALFORMED'],
  ['more bytes than a record may have', { zzz: new Uint8Array(LIMITS.maxPeerRecordBytes) }, 'LIMIT_BYTES'],
])('%s', (_, more, code) => {
  expect(codeOf(() => decodePeerRecord(encode({ ...raw, ...more }), LIMITS))).toBe(code)
})

test('unknown names are kept and written back', () => {
  const bytes = encode({ ...raw, future: [1] })
  expect(encodePeerRecord(decodePeerRecord(bytes, LIMITS))).toEqual(bytes)
})
