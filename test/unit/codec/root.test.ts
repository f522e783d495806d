import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { asJson } from '../../../src/codec/extra.ts'
import { encodeCanonicalJson } from '../../../src/codec/json.ts'
import { decodeRoot, encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { KeyId } from '../../../src/model/ids.ts'
import { codeOf } from './refusal.ts'
import { alice, bothKeys, digestOf, firstRoot, keyOne, keyTwo, laterRoot, utf8 } from './samples.ts'

// biome-ignore lint/suspicious/noExplicitAny: documents are broken in every possible way here.
type Loose = any
const raw = (): Loose => JSON.parse(new TextDecoder().decode(encodeRoot(laterRoot)))

/** The code after `change` broke a valid root. */
function broken(change: (root: Loose) => unknown): string {
  const value = raw()
  change(value)
  return codeOf(() => decodeRoot(encodeCanonicalJson(value), LIMITS))
}

describe('form', () => {
  test.each<[string, (root: Loose) => unknown, string]>([
    ['nothing changed', () => 0, 'accepted'],
    ['v 2', (r) => (r.v = 2), 'CODEC_UNSUPPORTED'],
    ['v as text', (r) => (r.v = '1'), 'CODEC_MALFORMED'],
    ['version 0', (r) => (r.version = 0), 'CODEC_MALFORMED'],
    ['expires as a number', (r) => (r.expires = 1), 'CODEC_MALFORMED'],
    ['expires with an offset', (r) => (r.expires = '2028-01-01T00:00:00+01:00'), 'CODEC_MALFORMED'],
    ['expires with empty milliseconds', (r) => (r.expires = '2028-01-01T00:00:00.000Z'), 'CODEC_MALFORMED'],
    ['expires as a date', (r) => (r.expires = '2028-01-01'), 'CODEC_MALFORMED'],
    ['expires on a day that is none', (r) => (r.expires = '2028-02-30T00:00:00Z'), 'CODEC_MALFORMED'],
    ['expires before 1970', (r) => (r.expires = '1969-12-31T23:59:59Z'), 'CODEC_MALFORMED'],
    ['fleetId in upper case', (r) => (r.fleetId = r.fleetId.toUpperCase()), 'CODEC_MALFORMED'],
    ['key type rsa', (r) => (r.keys[keyOne.id].type = 'rsa'), 'CODEC_MALFORMED'],
    ['key that is no base64', (r) => (r.keys[keyOne.id].spki = '?'), 'CODEC_MALFORMED'],
    ['key as a number', (r) => (r.keys[keyOne.id].spki = 5), 'CODEC_MALFORMED'],
    ['key without padding', (r) => (r.keys[keyOne.id].spki = 'AA'), 'CODEC_MALFORMED'],
    ['key with other spare bits', (r) => (r.keys[keyOne.id].spki = 'AB=='), 'CODEC_MALFORMED'],
    [
      'key of 129 bytes',
      (r) => (r.keys[keyOne.id].spki = Buffer.alloc(129).toString('base64')),
      'CODEC_MALFORMED',
    ],
    ['key without its digest as name', (r) => (r.keys.x = r.keys[keyOne.id]), 'CODEC_MALFORMED'],
    ['no keys', (r) => delete r.keys, 'CODEC_MALFORMED'],
    ['no roles', (r) => delete r.roles, 'CODEC_MALFORMED'],
    ['no root role', (r) => delete r.roles.root, 'CODEC_MALFORMED'],
    ['publisher with a slash', (r) => (r.publishers['a/b'] = r.publishers.alice), 'CODEC_MALFORMED'],
    ['publishers as a list', (r) => (r.publishers = []), 'CODEC_MALFORMED'],
    ['publisher without patterns', (r) => (r.publishers.alice.patterns = []), 'CODEC_MALFORMED'],
    ['pattern that is none', (r) => (r.publishers.alice.patterns = ['**/a']), 'CODEC_MALFORMED'],
    ['threshold 0', (r) => (r.roles.root.threshold = 0), 'CODEC_MALFORMED'],
    ['threshold as a fraction', (r) => (r.roles.root.threshold = '1'), 'CODEC_MALFORMED'],
    ['maxAgeS 0', (r) => (r.freshness.maxAgeS = 0), 'CODEC_MALFORMED'],
    ['maxSkewS -1', (r) => (r.freshness.maxSkewS = -1), 'CODEC_MALFORMED'],
    ['epoch 0', (r) => (r.epochs[0].value = 0), 'CODEC_MALFORMED'],
    ['removed peer that is none', (r) => (r.removed.peers[0].id = 'x'), 'CODEC_MALFORMED'],
    ['removed pool that is none', (r) => (r.removed.pools[0].key = 'x'), 'CODEC_MALFORMED'],
    ['17 keys in a role', (r) => (r.admission.keys = new Array(17).fill(keyOne.id)), 'CODEC_MALFORMED'],
    [
      '257 removed peers',
      (r) => (r.removed.peers = new Array(257).fill(r.removed.peers[0])),
      'CODEC_MALFORMED',
    ],
  ])('%s', (_, change, code) => expect(broken(change)).toBe(code))

  test('any other bytes of the same document are refused', () => {
    const text = new TextDecoder().decode(encodeRoot(laterRoot))
    const decode = (changed: string) => codeOf(() => decodeRoot(utf8(changed), LIMITS))
    expect(decode(text)).toBe('accepted')
    expect(decode(`${text}\n`)).toBe('CODEC_MALFORMED')
    expect(decode(JSON.stringify(JSON.parse(text), null, 1))).toBe('CODEC_MALFORMED')
    expect(decode(text.replace('{', '{"version":4,'))).toBe('CODEC_MALFORMED')
    expect(decode(`${text.slice(0, -1)},"v":1}`)).toBe('CODEC_MALFORMED')
    expect(decode(text.replace('"version":4', '"version":4.0'))).toBe('CODEC_MALFORMED')
    expect(decode(text.replace('"version":4', '"version":4e0'))).toBe('CODEC_MALFORMED')
    expect(decode(text.replace('"v":1', '"__proto__":{}'))).toBe('CODEC_MALFORMED')
  })

  test('60 KiB are the limit', () => {
    const padded = (size: number) => encodeCanonicalJson({ ...raw(), zzz: 'a'.repeat(size) })
    const overhead = padded(0).length
    const code = (size: number) => codeOf(() => decodeRoot(padded(size - overhead), LIMITS))
    expect(code(LIMITS.maxRootBytes)).toBe('accepted')
    expect(code(LIMITS.maxRootBytes + 1)).toBe('LIMIT_BYTES')
  })
})

describe('what a root must hold by itself', () => {
  test.each<[string, (root: Loose) => unknown]>([
    ['threshold above the keys', (r) => (r.roles.root.threshold = 3)],
    ['threshold above the keys of a publisher', (r) => (r.publishers.alice.threshold = 2)],
    ['one key twice in a role', (r) => (r.roles.root.keys = [bothKeys[0], bothKeys[0]])],
    ['one key twice in a publisher', (r) => (r.publishers.alice.keys = [keyOne.id, keyOne.id])],
    ['one key twice in admission', (r) => (r.admission.keys = [keyOne.id, keyOne.id])],
    ['one key twice in freshness', (r) => (r.freshness.keys = [keyOne.id, keyOne.id])],
    ['keys that do not ascend', (r) => r.roles.root.keys.reverse()],
    ['no root keys', (r) => (r.roles.root.keys = [])],
    ['a publisher without keys', (r) => (r.publishers.alice.keys = [])],
    ['a key that is not in the table', (r) => (r.publishers.alice.keys = [digestOf('x')])],
    ['an admission key that is not in the table', (r) => (r.admission.keys = [digestOf('x')])],
    ['a name that is not the digest of its key', (r) => (r.keys[keyOne.id].spki = r.keys[keyTwo.id].spki)],
    ['one key under two names', (r) => (r.keys[digestOf('x')] = r.keys[keyOne.id])],
    ['one pattern twice in a publisher', (r) => r.publishers.alice.patterns.push('payments/*')],
    ['one pattern twice among the epochs', (r) => r.epochs.push({ pattern: '**', value: 2 })],
    ['an epoch above the version', (r) => (r.epochs[0].value = 5)],
    ['one peer removed twice', (r) => r.removed.peers.push(r.removed.peers[0])],
    ['one pool removed twice', (r) => r.removed.pools.push({ key: keyTwo.id, until: r.expires })],
    ['no fleetId in a later version', (r) => delete r.fleetId],
  ])('%s', (_, change) => expect(broken(change)).toBe('TRUST_ROOT_INVALID'))

  test('version 1 names no fleet: it is its own digest', () => {
    const bytes = encodeRoot(firstRoot)
    expect(decodeRoot(bytes, LIMITS).fleetId).toBe(sha256(bytes))
    const named = JSON.parse(new TextDecoder().decode(bytes))
    named.fleetId = digestOf('x')
    expect(codeOf(() => decodeRoot(encodeCanonicalJson(named), LIMITS))).toBe('TRUST_ROOT_INVALID')
  })

  test('an invalid root is not even written', () => {
    const root = { ...firstRoot, root: { keys: [keyOne.id, keyOne.id] as KeyId[], threshold: 2 } }
    expect(codeOf(() => encodeRoot(root))).toBe('TRUST_ROOT_INVALID')
  })

  test('key lists are sorted when written', () => {
    const root = { ...firstRoot, root: { keys: [...bothKeys].reverse(), threshold: 2 } }
    expect(encodeRoot(root)).toEqual(encodeRoot(firstRoot))
  })
})

test('unknown names are kept at every level and written back, byte for byte', () => {
  const value = raw()
  value.future = { a: [1] }
  value.roles.mirrors = { keys: [] }
  value.roles.root.note = 'x'
  value.publishers.alice.contact = 'ops'
  value.keys[keyOne.id].label = 'yubikey 1'
  value.admission.future = true
  value.freshness.future = null
  value.removed.future = 1
  value.removed.peers[0].reason = 'stolen'
  value.epochs[0].reason = 'rotation'
  const bytes = encodeCanonicalJson(value)
  const root = decodeRoot(bytes, LIMITS)
  expect(root.extra).toEqual(asJson.pack({ future: { a: [1] } }))
  expect(root.publishers.get(alice)?.extra).toEqual(asJson.pack({ contact: 'ops' }))
  expect(encodeRoot(root)).toEqual(bytes)
})
