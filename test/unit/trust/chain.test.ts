import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { type Adoption, adopt, type RootChain, startChain } from '../../../src/trust/chain.ts'
import { addRootKey, raiseEpoch, removeRootKey, renew, setThreshold } from '../../../src/trust/edit.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { keyIdOf as digest } from '../../../src/trust/public-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { EXPIRES, key, pattern, publisherKey, release, rootKeys, rootOne, signedRoot } from './fixtures.ts'

const one = rootOne()
const two = raiseEpoch(one, pattern('pay/*'))
const three = renew(two, EXPIRES + 1_000)
const bytes = [one, two, three].map((root) => signedRoot(root)) as [Uint8Array, Uint8Array, Uint8Array]
const kind = ({ adoption }: { adoption: Adoption }): Adoption['kind'] => adoption.kind
const follow = (...roots: readonly Uint8Array[]): RootChain =>
  roots.slice(1).reduce(
    (chain, next) => {
      const result = adopt(chain, next, LIMITS)
      expect(result.adoption.kind).toBe('adopted')
      return result.chain
    },
    startChain(roots[0] as Uint8Array, LIMITS),
  )

describe('roots', () => {
  it('follow one by one, each by its version', () => {
    const chain = follow(...bytes)
    expect(chain.current.version).toBe(3)
    expect([...chain.roots.keys()]).toEqual([1, 2, 3])
    expect(chain.roots.get(2)?.envelope).toBe(bytes[1])
    expect(chain.current.fleetId).toBe(one.fleetId)
  })

  it('of a known version change nothing, whichever is current', () => {
    for (let current = 1; current <= 3; current++) {
      const chain = follow(...bytes.slice(0, current))
      for (const known of bytes.slice(0, current)) {
        const result = adopt(chain, known, LIMITS)
        expect(kind(result)).toBe('old')
        expect(result.chain).toBe(chain)
      }
    }
  })

  it('with a gap are not adopted until what is between came', () => {
    const chain = follow(bytes[0])
    const early = adopt(chain, bytes[2], LIMITS)
    expect(kind(early)).toBe('gap')
    expect(early.chain).toBe(chain)
    expect(kind(adopt(adopt(chain, bytes[1], LIMITS).chain, bytes[2], LIMITS))).toBe('adopted')
  })

  it('may start from any version that a node was configured with', () => {
    expect(startChain(bytes[1], LIMITS).current.version).toBe(2)
    expect(kind(adopt(startChain(bytes[1], LIMITS), bytes[0], LIMITS))).toBe('old')
  })

  it('say which digest counts: that of the payload, not of the envelope', () => {
    const other = signedRoot(one, [rootKeys[0], rootKeys[1]])
    expect(other).not.toEqual(bytes[0])
    expect(startChain(other, LIMITS).currentDigest).toBe(startChain(bytes[0], LIMITS).currentDigest)
    expect(kind(adopt(follow(...bytes), signedRoot(two, [rootKeys[1], rootKeys[2]]), LIMITS))).toBe('old')
  })
})

describe('a new set of root keys', () => {
  const fresh = [key(), key()] as const
  // 1: two of a, b, c. Next: two of c, d, e, so that one signer alone belongs to both.
  const next: TrustRoot = (() => {
    let root = addRootKey(addRootKey(one, fresh[0].public), fresh[1].public)
    root = removeRootKey(removeRootKey(root, rootKeys[0].id), rootKeys[1].id)
    return { ...root, version: 2 }
  })()
  const chain = startChain(bytes[0], LIMITS)
  const offered = (...keys: readonly PrivateKey[]) => kind(adopt(chain, signedRoot(next, keys), LIMITS))

  it('needs the old threshold and the new one', () => {
    const [a, b, c] = rootKeys
    const [d, e] = fresh
    expect(offered(a, b)).toBe('unauthorised')
    expect(offered(d, e)).toBe('unauthorised')
    expect(offered(c, d)).toBe('unauthorised')
    expect(offered(a, d)).toBe('unauthorised')
    expect(offered(a, c, d)).toBe('adopted')
    expect(offered(a, b, d, e)).toBe('adopted')
  })

  it('needs a raised threshold at once, too', () => {
    const raised = setThreshold(one, 3)
    expect(kind(adopt(chain, signedRoot(raised, rootKeys.slice(0, 2)), LIMITS))).toBe('unauthorised')
    expect(kind(adopt(chain, signedRoot(raised), LIMITS))).toBe('adopted')
  })
})

describe('a fork', () => {
  const twin = raiseEpoch(one, pattern('**'))

  it('is an alarm where it is valid, and the first stays; a root that both accept ends it', () => {
    const [left, right] = [follow(bytes[0], bytes[1]), follow(bytes[0], signedRoot(twin))]
    const told = adopt(left, signedRoot(twin), LIMITS)
    expect(kind(told)).toBe('fork')
    expect(told.chain).toBe(left)
    expect(kind(adopt(right, bytes[1], LIMITS))).toBe('fork')
    // Covers what either side raised, so it is valid after both.
    const heal = raiseEpoch(two, pattern('**'))
    for (const side of [left, right]) expect(kind(adopt(side, signedRoot(heal), LIMITS))).toBe('adopted')
  })

  it('of a version that is replaced is told apart: nothing is to be done about it any more', () => {
    const left = adopt(follow(bytes[0], bytes[1]), signedRoot(raiseEpoch(two, pattern('**'))), LIMITS)
    expect(kind(left)).toBe('adopted')
    expect(kind(adopt(left.chain, signedRoot(twin), LIMITS))).toBe('old-fork')
  })

  it('is none where it is not valid from the version before', () => {
    const chain = follow(bytes[0], bytes[1])
    expect(kind(adopt(chain, signedRoot(twin, [rootKeys[0]]), LIMITS))).toBe('old')
    expect(kind(adopt(startChain(bytes[1], LIMITS), signedRoot(twin), LIMITS))).toBe('old')
  })

  it('out of stolen old keys does not take a node that is past them', () => {
    const moved = { ...removeRootKey(addRootKey(one, key().public), rootKeys[0].id), version: 2 }
    const forged = renew({ ...twin, version: 2 }, EXPIRES)
    const chain = follow(bytes[0], signedRoot(moved))
    expect(kind(adopt(chain, signedRoot(twin), LIMITS))).toBe('fork')
    expect(kind(adopt(chain, signedRoot(forged, [rootKeys[0], rootKeys[1]]), LIMITS))).toBe('unauthorised')
  })
})

describe('what is no root of this fleet', () => {
  const chain = startChain(bytes[0], LIMITS)
  const kindOf = (given: Uint8Array) => kind(adopt(chain, given, LIMITS))

  it('is refused: of another fleet, another kind of document, altered in any byte', () => {
    const foreign = raiseEpoch({ ...one, fleetId: rootOne([]).fleetId }, pattern('**'))
    expect(kindOf(signedRoot(foreign))).toBe('invalid')
    const disguised = signEnvelope('certificate', encodeRoot(two), rootKeys)
    expect(kindOf(encodeEnvelope(disguised))).toBe('invalid')
    expect(kindOf(release(one, [publisherKey]).bytes)).toBe('invalid')
    // Two of three signatures are needed and given, so no altered byte is covered by a spare one.
    const exact = signedRoot(two, rootKeys.slice(0, 2))
    expect(kindOf(exact)).toBe('adopted')
    for (let at = 0; at < exact.length; at++) {
      const altered = Uint8Array.from(exact)
      altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8))
      expect(kindOf(altered), `byte ${at}`).not.toBe('adopted')
    }
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (given) => {
        expect(kindOf(given)).toBe('invalid')
      }),
    )
    const long = new Uint8Array(LIMITS.maxRootBytes + 1)
    expect(kindOf(long)).toBe('invalid')
  })

  it('tells of an unknown form only where the root keys signed it', () => {
    const text = Buffer.from(encodeRoot(two)).toString()
    const unknown = Buffer.from(text.replace('"v":1', '"v":2'))
    expect(unknown.toString()).not.toBe(text)
    const signed = (keys: readonly PrivateKey[]) =>
      kindOf(encodeEnvelope(signEnvelope('root', unknown, keys)))
    expect(signed(rootKeys)).toBe('unsupported')
    expect(signed([rootKeys[0]])).toBe('unauthorised')
    expect(kindOf(signedRoot({ ...two, critical: ['quorum'] }))).toBe('unsupported')
    expect(kindOf(signedRoot({ ...two, critical: ['quorum'] }, [rootKeys[0]]))).toBe('unauthorised')
  })
})

describe('a configured root', () => {
  const code = (given: Uint8Array): string => {
    try {
      startChain(given, LIMITS)
      return 'taken'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }

  it('bears its own threshold', () => {
    expect(code(signedRoot(one, rootKeys.slice(0, 2)))).toBe('taken')
    expect(code(signedRoot(one, rootKeys.slice(0, 1)))).toBe('TRUST_ROOT_UNAUTHORISED')
    expect(code(signedRoot(one, [key(), key()]))).toBe('TRUST_ROOT_UNAUTHORISED')
  })

  it('holds strong keys only, each under its own id and kind', () => {
    const weak = Buffer.from(`302a300506032b6570032100${'00'.repeat(32)}`, 'hex')
    const text = Buffer.from(encodeRoot(one)).toString()
    const [ed25519] = [...one.keys.values()].filter((each) => each.type === 'ed25519')
    const strong = Buffer.from(ed25519?.spki ?? []).toString('base64')
    const signed = (json: string) => encodeEnvelope(signEnvelope('root', Buffer.from(json), rootKeys))
    expect(code(signed(text))).toBe('taken')
    expect(code(signed(text.replace(strong, weak.toString('base64'))))).toBe('TRUST_ROOT_INVALID')
    expect(
      code(signed(text.replace(`"spki":"${strong}","type":"ed25519"`, `"spki":"${strong}","type":"p256"`))),
    ).toBe('TRUST_ROOT_INVALID')
  })

  it('of weak keys is refused though its ids are right', () => {
    const spki = new Uint8Array(Buffer.from(`302a300506032b6570032100${'00'.repeat(32)}`, 'hex'))
    const weak = { ...key().public, spki }
    const id = digest(spki)
    const keys = new Map([...one.keys, [id, { ...weak, id }] as const].sort(([a], [b]) => (a < b ? -1 : 1)))
    const root: TrustRoot = { ...one, keys, admission: { keys: [...one.admission.keys, id].sort() } }
    expect(code(signedRoot(root))).toBe('TRUST_ROOT_INVALID')
    const next = { ...root, version: 2 }
    expect(kind(adopt(startChain(bytes[0], LIMITS), signedRoot(next), LIMITS))).toBe('invalid')
    expect(decodeEnvelope(signedRoot(root), LIMITS.maxRootBytes, LIMITS).signatures.length).toBe(3)
  })
})

it('a first root that needs what this build does not know is not started from, once it is signed', () => {
  const later = { ...one, critical: ['waves'] }
  const refusedAs = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) })
  expect(() => startChain(signedRoot(later), LIMITS)).toThrow(
    refusedAs('CODEC_UNSUPPORTED', /root 1 needs waves/),
  )
  expect(() => startChain(signedRoot(later, [publisherKey]), LIMITS)).toThrow(
    refusedAs('TRUST_ROOT_UNAUTHORISED', /own threshold/),
  )
})
