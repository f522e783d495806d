import { readFileSync, statSync } from 'node:fs'
import { decodeCertificate } from '../codec/certificate.ts'
import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts'
import { decodeEnvelopeJson } from '../codec/envelope-json.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Labels } from '../model/certificate.ts'
import type { PeerId } from '../model/ids.ts'
import { issueNodeCertificate } from '../trust/certificates.ts'
import { type PrivateKey, privateKeyFromPem } from '../trust/private-key.ts'
import type { NodeConfig } from './config.ts'

/** A document a configuration names, as wire envelope. @throws MeshError CONFIG_UNREADABLE, CONFIG_INVALID */
export function readDocument(path: string, key: string, limits: Limits): Uint8Array {
  const text = readText(path, key)
  try {
    return encodeEnvelope(decodeEnvelopeJson(text, limits))
  } catch (error) {
    throw new MeshError(
      'CONFIG_INVALID',
      `${key}: ${path}: not a signed document: ${(error as Error).message}`,
      { key },
    )
  }
}

/** A private key that nobody else may read. @throws MeshError CONFIG_UNREADABLE, CONFIG_KEY, CONFIG_KEY_MODE */
export function readPrivateKey(path: string, key: string): PrivateKey {
  const pem = readText(path, key)
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new MeshError(
      'CONFIG_KEY_MODE',
      `${key}: ${path}: others may read this private key; run chmod 600 on it`,
      { key },
    )
  }
  return privateKeyFromPem(pem)
}

function readText(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new MeshError(
      'CONFIG_UNREADABLE',
      `${key}: ${path}: ${reason}; is the path right? It is relative to the configuration file`,
      { key },
    )
  }
}

/** How this node proves itself: its certificate, or one it signs for itself with its pool's key. */
export function ownChain(config: NodeConfig, peer: PeerId, limits: Limits): Uint8Array[] {
  const { admission } = config
  if (admission === undefined) return []
  if ('certificate' in admission)
    return [readDocument(admission.certificate, 'admission.certificate', limits)]
  const pool = readDocument(admission.pool, 'admission.pool', limits)
  const poolKey = readPrivateKey(admission.poolKey, 'admission.poolKey')
  const labels: Labels = new Map(Object.entries(config.labels).sort(([a], [b]) => (a < b ? -1 : 1)))
  const now = Date.now()
  const node = { peer, labels, notBefore: now - SKEW_MS, notAfter: now + OWN_CERTIFICATE_MS }
  return [encodeEnvelope(issueNodeCertificate(node, poolKey)), pool]
}

/** Milliseconds since 1970 at which the first link of a chain ends; undefined where there is no chain. */
export function chainExpires(chain: readonly Uint8Array[], limits: Limits): number | undefined {
  const ends = chain.map((bytes) => {
    const { payload } = decodeEnvelope(bytes, limits.maxCertificateBytes, limits)
    return decodeCertificate(payload, limits).notAfter
  })
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** A clock a little behind must not make a certificate that is not valid yet. */
const SKEW_MS = 3_600_000
/** Signed anew at every start; the pool's own end bounds it. */
const OWN_CERTIFICATE_MS = 365 * 86_400_000
