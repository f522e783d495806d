import { describe, expect, test } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { hexToBytes } from '../../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope, preAuthEncoding } from '../../../src/codec/envelope.ts'
import { decodeEnvelopeJson, encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { LIMITS } from '../../../src/limits.ts'
import { codeOf } from './refusal.ts'
import { digestOf, envelope, keyOne, utf8 } from './samples.ts'

const signature = { keyid: hexToBytes(keyOne.id), sig: new Uint8Array(64) }
const raw = (more: object = {}) =>
  encode({ payload: utf8('x'), payloadType: 'type', signatures: [signature], ...more })
const decode = (bytes: Uint8Array, maxBytes = LIMITS.maxEnvelopeBytes) =>
  codeOf(() => decodeEnvelope(bytes, maxBytes, LIMITS))

describe('dag-cbor', () => {
  test.each([
    ['as it should be', {}, 'accepted'],
    ['no signatures yet', { signatures: [] }, 'accepted'],
    ['16 signatures', { signatures: new Array(16).fill(signature) }, 'accepted'],
    ['17 signatures', { signatures: new Array(17).fill(signature) }, 'LIMIT_SIGNATURES'],
    ['another name', { more: 1 }, 'CODEC_MALFORMED'],
    ['another name in a signature', { signatures: [{ ...signature, more: 1 }] }, 'CODEC_MALFORMED'],
    ['key id of 31 bytes', { signatures: [{ ...signature, keyid: new Uint8Array(31) }] }, 'CODEC_MALFORMED'],
    ['key id as hex', { signatures: [{ ...signature, keyid: keyOne.id }] }, 'CODEC_MALFORMED'],
    ['empty signature', { signatures: [{ ...signature, sig: new Uint8Array(0) }] }, 'CODEC_MALFORMED'],
    [
      'signature of 129 bytes',
      { signatures: [{ ...signature, sig: new Uint8Array(129) }] },
      'CODEC_MALFORMED',
    ],
    ['payload as text', { payload: 'x' }, 'CODEC_MALFORMED'],
    ['payload type as bytes', { payloadType: utf8('x') }, 'CODEC_MALFORMED'],
    ['payload type of 129 bytes', { payloadType: 'x'.repeat(129) }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => expect(decode(raw(more))).toBe(code))

  test.each(['payload', 'payloadType', 'signatures'])('%s may not be missing', (name) => {
    const fields: Record<string, unknown> = { payload: utf8('x'), payloadType: 't', signatures: [] }
    delete fields[name]
    expect(decode(encode(fields))).toBe('CODEC_MALFORMED')
  })

  test('exactly the limit of bytes passes, one more is refused', () => {
    const bytes = encodeEnvelope(envelope)
    expect(decode(bytes, bytes.length)).toBe('accepted')
    expect(decode(bytes, bytes.length - 1)).toBe('LIMIT_BYTES')
  })
})

test("what is signed is DSSE's pre-authentication encoding", () => {
  // The example of the DSSE protocol text, and lengths in bytes where characters are fewer.
  expect(preAuthEncoding('http://example.com/HelloWorld', utf8('hello world'))).toEqual(
    utf8('DSSEv1 29 http://example.com/HelloWorld 11 hello world'),
  )
  expect(preAuthEncoding('ü', utf8('é'))).toEqual(utf8('DSSEv1 2 ü 2 é'))
})

describe('JSON on disk', () => {
  const json = encodeEnvelopeJson(envelope)
  const read = (text: string) => codeOf(() => decodeEnvelopeJson(text, LIMITS))

  test('holds the same envelope, and any white space is taken', () => {
    expect(decodeEnvelopeJson(json, LIMITS)).toEqual(envelope)
    expect(decodeEnvelopeJson(JSON.stringify(JSON.parse(json)), LIMITS)).toEqual(envelope)
  })

  test.each([
    ['nothing', ''],
    ['no JSON', 'root: 1'],
    ['a list', '[]'],
    ['another document', '{"version": 1}'],
    ['a key twice', json.replace('{', '{"payload": "AA==",')],
    ['another name', json.replace('{', '{"more": 1,')],
    ['base64 without padding', json.replace(/"payload": "[^"]*"/, '"payload": "AA"')],
    ['a key id that is none', json.replace(keyOne.id, keyOne.id.toUpperCase())],
    ['a key id of another length', json.replace(keyOne.id, digestOf('x').slice(1))],
    ['half a character', json.replace(/"payloadType": "[^"]*"/, '"payloadType": "\\ud800"')],
    ['depth', `{"payload": ${'['.repeat(5_000)}`],
  ])('refuses: %s', (_, text) => expect(read(text)).toBe('CODEC_MALFORMED'))

  test('refuses more bytes than any root has, and more signatures than are tried', () => {
    expect(read(`"${'a'.repeat(3 * LIMITS.maxRootBytes)}"`)).toBe('LIMIT_BYTES')
    const many = { ...envelope, signatures: new Array(17).fill(envelope.signatures[0]) }
    expect(read(encodeEnvelopeJson(many))).toBe('LIMIT_SIGNATURES')
  })
})
