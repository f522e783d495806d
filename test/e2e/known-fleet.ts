/** What a test's own peers need to be let into a fleet of real processes: its root, and certificates by its admission key. */
import { readFileSync } from 'node:fs'
import { decodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { decodeRoot } from '../../src/codec/root.ts'
import { LIMITS } from '../../src/limits.ts'
import type { PeerId } from '../../src/model/ids.ts'
import { issueNodeCertificate } from '../../src/trust/certificates.ts'
import { privateKeyFromPem } from '../../src/trust/private-key.ts'
import type { Known } from '../attack/kit/hostile.ts'

const HOUR_MS = 3_600_000

/** Paths of the fleet's root and of the key that admits nodes. */
export interface FleetFiles {
  readonly root: string
  readonly admissionKey: string
}

export function knownFrom(files: FleetFiles): Known {
  const root = decodeRoot(decodeEnvelopeJson(readFileSync(files.root, 'utf8'), LIMITS).payload, LIMITS)
  const key = privateKeyFromPem(readFileSync(files.admissionKey, 'utf8'))
  const notBefore = Date.now() - (Date.now() % 1_000) - HOUR_MS
  const span = { labels: new Map<string, string>(), notBefore, notAfter: notBefore + 9 * HOUR_MS }
  return { root, chainFor: (peer: PeerId) => [issueNodeCertificate({ peer, ...span }, key)] }
}
