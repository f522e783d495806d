import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeHeader } from '../../../src/codec/header.ts'
import { isMeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import { type DocumentKind, type Envelope, PAYLOAD_TYPES } from '../../../src/model/envelope.ts'
import type { KeyId } from '../../../src/model/ids.ts'
import type { PublicKey, TrustRoot } from '../../../src/model/root.ts'
import { authorised } from '../../../src/trust/authorise.ts'
import { addSignature, signEnvelope } from '../../../src/trust/signing.ts'
import { keysOf, signers } from '../../../src/trust/threshold.ts'
import {
  channel,
  key,
  name,
  otherKey,
  pattern,
  publisherKey,
  release,
  rootOne,
  spec,
  thirdKey,
} from './fixtures.ts'

const three = [publisherKey, otherKey, thirdKey] as const
const twoOfThree = rootOne([spec({ keys: three.map((one) => one.public), threshold: 2 })])

/** What a node does with received bytes: true only if it would take the release. */
function takes(root: TrustRoot, bytes: Uint8Array): boolean {
  try {
    const envelope = decodeEnvelope(bytes, LIMITS.maxEnvelopeBytes, LIMITS)
    return authorised(root, envelope, decodeHeader(envelope.payload, LIMITS), LIMITS)
  } catch (error) {
    if (isMeshError(error)) return false
    throw error
  }
}

describe('a release', () => {
  it('is taken with its threshold, and with no byte of it changed', () => {
    for (const signer of [publisherKey, otherKey]) {
      const root = rootOne([spec({ keys: [signer.public] })])
      const { bytes } = release(root, [signer])
      expect(takes(root, bytes)).toBe(true)
      for (let at = 0; at < bytes.length; at++) {
        const altered = Uint8Array.from(bytes)
        altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8))
        expect(takes(root, altered), `byte ${at}`).toBe(false)
      }
    }
  })

  it('needs the threshold of distinct keys: all subsets of the signers', () => {
    for (let subset = 0; subset < 8; subset++) {
      const keys = three.filter((_, index) => subset & (1 << index))
      expect(takes(twoOfThree, release(twoOfThree, keys).bytes), `${keys.length}`).toBe(keys.length >= 2)
    }
  })

  it('is not taken by a repeated signature, or by one signature under another key id', () => {
    const { envelope } = release(twoOfThree, [publisherKey])
    const [signature] = envelope.signatures
    if (signature === undefined) throw new Error('unsigned')
    const repeated = { ...envelope, signatures: [signature, signature] }
    const disguised = { ...envelope, signatures: [signature, { ...signature, keyId: otherKey.id }] }
    expect(takes(twoOfThree, encodeEnvelope(repeated))).toBe(false)
    expect(takes(twoOfThree, encodeEnvelope(disguised))).toBe(false)
  })

  it('is not taken from keys that stand elsewhere in the root', () => {
    const root = rootOne([
      spec(),
      spec({ name: name('web'), keys: [otherKey.public], patterns: [pattern('web/*')] }),
    ])
    expect(takes(root, release(root, [otherKey]).bytes)).toBe(false)
    const web = { publisher: name('web'), channel: channel('web/prod') }
    expect(takes(root, release(root, [otherKey], web).bytes)).toBe(true)
    expect(takes(root, release(root, [otherKey], { publisher: name('web') }).bytes)).toBe(false)
    expect(takes(root, release(root, [otherKey], { publisher: name('nobody') }).bytes)).toBe(false)
  })

  it.each(['payments/x', 'pay/a/b', 'pay', 'xpay/a', 'a/pay/b'])('on %s is outside of pay/*', (text) => {
    const root = rootOne()
    expect(takes(root, release(root, [publisherKey], { channel: channel(text) }).bytes)).toBe(false)
  })

  it('keeps its id whatever valid signatures it bears', () => {
    const { envelope, release: first } = release(twoOfThree, [publisherKey, otherKey])
    const more = addSignature(envelope, thirdKey)
    expect(takes(twoOfThree, encodeEnvelope(more))).toBe(true)
    expect(decodeHeader(more.payload, LIMITS).id).toBe(first.id)
  })

  it('is taken after a copy with broken signatures, and before', () => {
    const { envelope, bytes } = release(twoOfThree, [publisherKey, otherKey])
    const broken = {
      ...envelope,
      signatures: envelope.signatures.map((one) => ({ ...one, sig: new Uint8Array(64) })),
    }
    for (const order of [
      [broken, bytes],
      [bytes, broken],
    ]) {
      const taken = order.map((one) =>
        takes(twoOfThree, one instanceof Uint8Array ? one : encodeEnvelope(one as Envelope)),
      )
      expect(taken.sort()).toEqual([false, true])
    }
  })
})

describe('signatures', () => {
  const kinds = Object.keys(PAYLOAD_TYPES) as DocumentKind[]
  it('of one kind of document count for no other', () => {
    const keys = new Map([[publisherKey.id, publisherKey.public]])
    for (const signed of kinds) {
      const envelope = signEnvelope(signed, Buffer.from('{}'), [publisherKey])
      for (const asked of kinds) {
        if (asked === signed) {
          expect(signers(envelope, asked, keys, LIMITS)).toEqual([publisherKey.id])
          continue
        }
        expect(() => signers(envelope, asked, keys, LIMITS)).toThrow(
          expect.objectContaining({ code: 'TRUST_TYPE' }),
        )
        // The type is under the signature, so renaming it does not help.
        const renamed = { ...envelope, payloadType: PAYLOAD_TYPES[asked] }
        expect(signers(renamed, asked, keys, LIMITS)).toEqual([])
      }
    }
  })

  it('beyond the limit are refused before any is tried', () => {
    const counted = counting([publisherKey.public])
    const signature = { keyId: publisherKey.id, sig: new Uint8Array(64) }
    const signatures = Array.from({ length: LIMITS.maxSignatures + 1 }, () => signature)
    const envelope = { payloadType: PAYLOAD_TYPES.release, payload: new Uint8Array(), signatures }
    expect(() => signers(envelope, 'release', counted.keys, LIMITS)).toThrow(
      expect.objectContaining({ code: 'LIMIT_SIGNATURES' }),
    )
    expect(counted.tried()).toBe(0)
  })

  it('cost at most one verification for each known key, and none for unknown ones', () => {
    const strangers = [key(), key(), key(), key()]
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5 }), { maxLength: LIMITS.maxSignatures }), (picks) => {
        const counted = counting([publisherKey.public, thirdKey.public])
        const pool = [publisherKey, thirdKey, ...strangers]
        const signatures = picks.map((pick) => ({ keyId: pool[pick]?.id as KeyId, sig: new Uint8Array(64) }))
        const envelope = { payloadType: PAYLOAD_TYPES.release, payload: new Uint8Array(), signatures }
        signers(envelope, 'release', counted.keys, LIMITS)
        expect(counted.tried()).toBe(new Set(picks.filter((pick) => pick < 2)).size)
      }),
      { numRuns: 50 },
    )
  })

  it('count by keys that a role names, not by keys that the document holds', () => {
    const keys = new Map([publisherKey, otherKey].map((one) => [one.id, one.public]))
    const envelope = signEnvelope('release', new Uint8Array(), [publisherKey, otherKey])
    expect(signers(envelope, 'release', keysOf([otherKey.id], keys), LIMITS)).toEqual([otherKey.id])
  })
})

/** Each verification looks up the kind of its key once. */
function counting(publics: readonly PublicKey[]): { keys: Map<KeyId, PublicKey>; tried(): number } {
  let tried = 0
  const watched = publics.map((one) =>
    Object.defineProperty({ ...one }, 'type', {
      get() {
        tried++
        return one.type
      },
    }),
  )
  return { keys: new Map(watched.map((one) => [one.id, one])), tried: () => tried }
}
