import { createPublicKey, ECDH, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { queryObjects } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { isMeshError } from '../../../src/errors.ts'
import { privateKeyFromPem, publicKeyFromPem, publicPem } from '../../../src/trust/private-key.ts'
import {
  canonicalSpki,
  importPublicKey,
  MAX_KEY_OBJECTS,
  verifySignature,
} from '../../../src/trust/public-key.ts'
import { key } from './fixtures.ts'

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (isMeshError(error)) return error.code
    throw error
  }
  return 'taken'
}

const ED25519 = Buffer.from('302a300506032b6570032100', 'hex')
const P256 = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const P256_COMPRESSED = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex')
const ed25519 = (hex: string): Buffer => Buffer.concat([ED25519, Buffer.from(hex, 'hex')])

/** RFC 7748 and libsodium's list: every encoding of a point whose order divides 8, canonical or not. */
const SMALL_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]
const withSignBit = (hex: string): string => {
  const bytes = Buffer.from(hex, 'hex')
  bytes[31] = (bytes[31] ?? 0) | 0x80
  return bytes.toString('hex')
}

describe('public keys in documents', () => {
  it.each([...SMALL_ORDER, ...SMALL_ORDER.map(withSignBit)])('refuses the small-order point %s', (point) => {
    expect(codeOf(() => importPublicKey(ed25519(point)))).toBe('TRUST_ROOT_INVALID')
  })

  it('refuses an Ed25519 point that is not on the curve', () => {
    // y = 2 has no x: (4 - 1) / (4d + 1) is no square.
    expect(codeOf(() => importPublicKey(ed25519(`02${'00'.repeat(31)}`)))).toBe('TRUST_ROOT_INVALID')
  })

  it('refuses P-256 points off the curve, at infinity and compressed', () => {
    const good = Buffer.from(key('p256').public.spki)
    const off = Buffer.from(good)
    off[90] = (off[90] ?? 0) ^ 1
    const infinity = Buffer.from('301a301306072a8648ce3d020106082a8648ce3d03010703020000', 'hex')
    const point = good.subarray(P256.length - 1)
    const compressed = ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'compressed') as Buffer
    const spki = Buffer.concat([P256_COMPRESSED, compressed])
    for (const bad of [off, infinity, spki])
      expect(codeOf(() => importPublicKey(bad))).toBe('TRUST_ROOT_INVALID')
    // The same point in a key file is taken, under the one id that the key has.
    const fromFile = publicKeyFromPem(pemOf(createPublicKey({ key: spki, format: 'der', type: 'spki' })))
    expect(fromFile.id).toBe(importPublicKey(good).id)
  })

  it('refuses other kinds of keys', () => {
    const others = [
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
      generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey,
      generateKeyPairSync('x25519').publicKey,
    ]
    for (const other of others) {
      const spki = other.export({ type: 'spki', format: 'der' })
      expect(codeOf(() => importPublicKey(spki))).toBe('TRUST_ROOT_INVALID')
      expect(codeOf(() => publicKeyFromPem(pemOf(other)))).toBe('CONFIG_KEY')
    }
  })

  it('refuses every encoding but the canonical one', () => {
    const spki = key().public.spki
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(codeOf(() => importPublicKey(bytes))).toBe('TRUST_ROOT_INVALID')
      }),
    )
    expect(codeOf(() => importPublicKey(Buffer.concat([spki, Buffer.of(0)])))).toBe('TRUST_ROOT_INVALID')
  })

  it('takes every key that is made, and knows it again', () => {
    for (let i = 0; i < 40; i++) {
      const one = key(i % 2 === 0 ? 'ed25519' : 'p256')
      expect(importPublicKey(one.public.spki)).toEqual(one.public)
      expect(publicKeyFromPem(publicPem(one.public))).toEqual(one.public)
    }
  })
})

describe('private keys', () => {
  it('sign what their public half verifies, and nothing else', () => {
    for (const type of ['ed25519', 'p256'] as const) {
      const { pem, key: made } = generatePrivateKey(type)
      const again = privateKeyFromPem(pem)
      const data = Buffer.from('exactly these bytes')
      const sig = again.sign(data)
      expect(again.id).toBe(made.id)
      expect(verifySignature(made.public, data, sig)).toBe(true)
      expect(verifySignature(made.public, Buffer.from('exactly those bytes'), sig)).toBe(false)
      expect(verifySignature(key(type).public, data, sig)).toBe(false)
      for (const broken of [new Uint8Array(), sig.subarray(1), Buffer.concat([sig, sig])]) {
        expect(verifySignature(made.public, data, broken)).toBe(false)
      }
    }
  })

  it('show nothing of their secret', () => {
    const { pem, key: made } = generatePrivateKey('ed25519')
    const secret = pem.split('\n')[1] ?? ''
    expect(secret.length).toBeGreaterThan(40)
    for (const shown of [JSON.stringify(made), inspect(made, { depth: 9, showHidden: true }), String(made)]) {
      expect(shown).not.toContain(secret)
      expect(shown).not.toContain(Buffer.from(secret, 'base64').subarray(-32).toString('hex'))
    }
  })

  it.each(['', 'hello', publicPem(key().public)])('refuses %j as a private key', (pem) => {
    expect(codeOf(() => privateKeyFromPem(pem))).toBe('CONFIG_KEY')
  })

  it('are not taken for public ones, which would spread them', () => {
    expect(codeOf(() => publicKeyFromPem(generatePrivateKey('ed25519').pem))).toBe('CONFIG_KEY')
  })
})

const pemOf = (of: KeyObject): string => of.export({ type: 'spki', format: 'pem' }) as string

it('gives one canonical form to a key however it was read', () => {
  const { public: one } = key('p256')
  expect(canonicalSpki(createPublicKey(publicPem(one)))).toEqual(one.spki)
})

it('a weak key in a file is a wrong key file, with the reason', () => {
  const weak = createPublicKey({ key: ed25519(`01${'00'.repeat(31)}`), format: 'der', type: 'spki' })
  expect(() => publicKeyFromPem(pemOf(weak))).toThrow(
    expect.objectContaining({
      code: 'CONFIG_KEY',
      message: expect.stringMatching(/weak or not on the curve/),
    }),
  )
})

it('of keys that came by no more are ready for use than a seed has neighbours', () => {
  const ready = () => {
    const class_ = generateKeyPairSync('ed25519').publicKey.constructor as new () => KeyObject
    return queryObjects(class_, { format: 'count' }) as unknown as number
  }
  const before = ready()
  for (let at = 0; at < 2 * MAX_KEY_OBJECTS; at++) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    importPublicKey(publicKey.export({ type: 'spki', format: 'der' }))
  }
  expect(ready() - before).toBeLessThanOrEqual(MAX_KEY_OBJECTS)
})
