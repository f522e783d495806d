import { describe, expect, test } from 'vitest'
import { decodeCertificate, encodeCertificate } from '../../../src/codec/certificate.ts'
import { asJson } from '../../../src/codec/extra.ts'
import { encodeCanonicalJson } from '../../../src/codec/json.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Certificate } from '../../../src/model/certificate.ts'
import { codeOf } from './refusal.ts'
import { keyTwo, nodeCertificate, peer, poolCertificate } from './samples.ts'

const raw = (of: Certificate) => JSON.parse(new TextDecoder().decode(encodeCertificate(of)))
const decode = (of: Certificate, more: object) =>
  codeOf(() => decodeCertificate(encodeCanonicalJson({ ...raw(of), ...more }), LIMITS))

describe('of a node', () => {
  test.each([
    ['nothing changed', {}, 'accepted'],
    ['v 2', { v: 2 }, 'CODEC_UNSUPPORTED'],
    ['subject of both kinds', { subject: { ...raw(poolCertificate).subject, peer } }, 'CODEC_MALFORMED'],
    ['subject of no kind', { subject: {} }, 'CODEC_MALFORMED'],
    ['subject with another name', { subject: { peer, more: 1 } }, 'CODEC_MALFORMED'],
    ['peer that is none', { subject: { peer: 'x' } }, 'CODEC_MALFORMED'],
    ['label that is a pattern', { labels: { region: '*' } }, 'CODEC_MALFORMED'],
    ['label of two segments', { labels: { region: 'a/b' } }, 'CODEC_MALFORMED'],
    ['label name that is none', { labels: { 'a b': 'c' } }, 'CODEC_MALFORMED'],
    ['label named constructor', { labels: { constructor: 'c' } }, 'accepted'],
    [
      '33 labels',
      { labels: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`l${at}`, 'x'])) },
      'CODEC_MALFORMED',
    ],
    ['end before the start', { notAfter: '2025-12-31T23:59:59Z' }, 'CODEC_MALFORMED'],
    ['end as a number', { notAfter: 1 }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => expect(decode(nodeCertificate, more)).toBe(code))
})

describe('of a pool', () => {
  const { subject } = raw(poolCertificate)
  test.each([
    ['nothing changed', {}, 'accepted'],
    ['label patterns', { labels: { region: 'eu-west', zone: '*' } }, 'accepted'],
    ['label pattern that is none', { labels: { region: 'eu-*' } }, 'CODEC_MALFORMED'],
    ['pool that is no name', { subject: { ...subject, pool: 'a/b' } }, 'CODEC_MALFORMED'],
    ['digest of another key', { subject: { ...subject, key: keyTwo.id } }, 'CODEC_MALFORMED'],
    ['no key', { subject: { pool: 'edge' } }, 'CODEC_MALFORMED'],
  ])('%s', (_, more, code) => expect(decode(poolCertificate, more)).toBe(code))
})

test('unknown names are kept and written back, byte for byte', () => {
  const bytes = encodeCanonicalJson({ ...raw(nodeCertificate), future: { a: [1] } })
  const read = decodeCertificate(bytes, LIMITS)
  expect(read).toEqual({ ...nodeCertificate, extra: asJson.pack({ future: { a: [1] } }) })
  expect(encodeCertificate(read)).toEqual(bytes)
})

test('and so are texts that only JSON takes', () => {
  const bytes = encodeCanonicalJson({ ...raw(nodeCertificate), '\ufeffa': ['\ufeffb'] })
  expect(encodeCertificate(decodeCertificate(bytes, LIMITS))).toEqual(bytes)
})

test('8 KiB are the limit', () => {
  const padded = (size: number) => encodeCanonicalJson({ ...raw(nodeCertificate), zzz: 'a'.repeat(size) })
  const code = (size: number) => codeOf(() => decodeCertificate(padded(size - padded(0).length), LIMITS))
  expect(code(LIMITS.maxCertificateBytes)).toBe('accepted')
  expect(code(LIMITS.maxCertificateBytes + 1)).toBe('LIMIT_BYTES')
})
