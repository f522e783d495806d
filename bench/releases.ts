/** Real signed releases of a fleet of one publisher, for the micro benches. */

import { generatePrivateKey } from '../src/cli/generate-key.ts'
import { sha256 } from '../src/codec/digest.ts'
import { decodeHeader, encodeHeader } from '../src/codec/header.ts'
import { LIMITS } from '../src/limits.ts'
import type { Envelope } from '../src/model/envelope.ts'
import type { Channel, Name } from '../src/model/ids.ts'
import { parsePattern } from '../src/model/names.ts'
import type { Release } from '../src/model/release.ts'
import type { TrustRoot } from '../src/model/root.ts'
import { firstRoot } from '../src/trust/first-root.ts'
import { signEnvelope } from '../src/trust/signing.ts'

export const CHANNEL = 'payments/prod' as Channel
const PUBLISHER = 'payments' as Name
const { key } = generatePrivateKey('ed25519')
const PAGE = sha256(Buffer.from('a manifest page'))

export function rootFor(): TrustRoot {
  return firstRoot({
    expires: Math.ceil(Date.now() / 1_000) * 1_000 + 86_400_000,
    rootKeys: [key.public],
    rootThreshold: 1,
    publishers: [
      { name: PUBLISHER, keys: [key.public], threshold: 1, patterns: [parsePattern('payments/**')] },
    ],
    admissionKeys: [key.public],
    freshnessKeys: [key.public],
    maxAgeS: 90,
    maxSkewS: 10,
  })
}

export function signed(root: TrustRoot, counter: number): { envelope: Envelope; release: Release } {
  const payload = encodeHeader({
    v: 1,
    critical: [],
    fleet: root.fleetId,
    channel: CHANNEL,
    root: 1,
    publisher: PUBLISHER,
    clock: new Map([[PUBLISHER, counter]]),
    pages: [PAGE],
    files: 1,
    bytes: 2_048,
    message: `release ${counter}`,
    created: 1_700_000_000_000 + counter,
  })
  return { envelope: signEnvelope('release', payload, [key]), release: decodeHeader(payload, LIMITS) }
}
