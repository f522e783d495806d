import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeHeader, encodeHeader } from '../../../src/codec/header.ts'
import { decodeRoot, encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Envelope } from '../../../src/model/envelope.ts'
import type { Channel, Digest, Name, Pattern } from '../../../src/model/ids.ts'
import type { Header, Release } from '../../../src/model/release.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import type { PublisherSpec } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'

export const key = (type: 'ed25519' | 'p256' = 'ed25519'): PrivateKey => generatePrivateKey(type).key

export const rootKeys = [key(), key('p256'), key()] as const
export const [publisherKey, otherKey, thirdKey] = [key(), key('p256'), key()] as const
export const admissionKey = key()
export const freshnessKey = key()

export const name = (text: string): Name => text as Name
export const pattern = (text: string): Pattern => text as Pattern
export const channel = (text: string): Channel => text as Channel

export const EXPIRES = Date.UTC(2030, 0, 1)

export function spec(change: Partial<PublisherSpec> = {}): PublisherSpec {
  return {
    name: name('pay'),
    keys: [publisherKey.public],
    threshold: 1,
    patterns: [pattern('pay/*')],
    ...change,
  }
}

/** Version 1: two of three root keys, publishers as given. */
export function rootOne(publishers: readonly PublisherSpec[] = [spec()], rootThreshold = 2): TrustRoot {
  return firstRoot({
    rootKeys: rootKeys.map((one) => one.public),
    rootThreshold,
    publishers,
    admissionKeys: [admissionKey.public],
    freshnessKeys: [freshnessKey.public],
    maxAgeS: 60,
    maxSkewS: 300,
    expires: EXPIRES,
  })
}

export function signedRoot(root: TrustRoot, keys: readonly PrivateKey[] = rootKeys): Uint8Array {
  return encodeEnvelope(signEnvelope('root', encodeRoot(root), keys))
}

/** As every node would read it. */
export const reread = (root: TrustRoot): TrustRoot => decodeRoot(encodeRoot(root), LIMITS)

export interface SignedRelease {
  readonly envelope: Envelope
  readonly release: Release
  readonly bytes: Uint8Array
}

export function release(
  root: TrustRoot,
  keys: readonly PrivateKey[],
  change: Partial<Header> = {},
): SignedRelease {
  const publisher = change.publisher ?? name('pay')
  const payload = encodeHeader({
    v: 1,
    critical: [],
    fleet: root.fleetId,
    channel: channel('pay/prod'),
    root: root.version,
    publisher,
    clock: new Map([[publisher, 1]]),
    pages: ['a'.repeat(64) as Digest],
    files: 1,
    bytes: 1,
    message: 'first',
    created: EXPIRES,
    ...change,
  })
  const envelope = signEnvelope('release', payload, keys)
  return { envelope, release: decodeHeader(payload, LIMITS), bytes: encodeEnvelope(envelope) }
}
