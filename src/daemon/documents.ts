import { readFileSync } from 'node:fs'
import { decodeCertificate } from '../codec/certificate.ts'
import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts'
import { decodeEnvelopeJson } from '../codec/envelope-json.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Certificate, Labels } from '../model/certificate.ts'
import type { PeerId } from '../model/ids.ts'
import { grantedLabels, issueNodeCertificate } from '../trust/certificates.ts'
import { startChain } from '../trust/chain.ts'
import { type PrivateKey, privateKeyFromPem } from '../trust/private-key.ts'
import type { NodeConfig } from './config.ts'
import { looseMode, WHERE_NO_MODES } from './key-mode.ts'
import { signedForItsTime } from './own-record.ts'

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

/**
 * The trust root that a configuration names, valid by itself.
 * @throws MeshError CONFIG_UNREADABLE, CONFIG_INVALID (some other document), CODEC_*, LIMIT_*, TRUST_*
 */
export function readRoot(path: string, limits: Limits): Uint8Array {
  const root = readDocument(path, 'root', limits)
  try {
    startChain(root, limits)
  } catch (error) {
    if (!isMeshError(error)) throw error
    // Another document is a mistake of whoever wrote the configuration; a root that does not bear out is not.
    const code = error.code === 'TRUST_TYPE' ? 'CONFIG_INVALID' : error.code
    throw new MeshError(code, `root: ${path}: ${error.message}`, { key: 'root' }, { cause: error })
  }
  return root
}

/**
 * A private key that nobody else may read.
 * @param isClosedFirst the node closes it before it reads it: its mode does not matter yet
 * @throws MeshError CONFIG_UNREADABLE, CONFIG_KEY, CONFIG_KEY_MODE
 */
export function readPrivateKey(path: string, key: string, isClosedFirst = false): PrivateKey {
  const pem = readText(path, key)
  const loose = isClosedFirst ? undefined : looseMode(path)
  if (loose !== undefined) {
    const text = `${key}: ${path} has mode ${loose}, others may use this key; run: chmod 600 ${path}; ${WHERE_NO_MODES}`
    throw new MeshError('CONFIG_KEY_MODE', text, { key })
  }
  try {
    return privateKeyFromPem(pem)
  } catch (error) {
    if (!isMeshError(error)) throw error
    throw new MeshError(error.code, `${key}: ${path}: ${error.message}`, { key }, { cause: error })
  }
}

function readText(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new MeshError(
      'CONFIG_UNREADABLE',
      `${key}: ${path}: ${reason}; is the path right? In a configuration file it is relative to that file`,
      { key },
    )
  }
}

/**
 * How this node proves itself at a moment: its certificate, or one it signs for itself with its pool's key.
 * @throws MeshError CONFIG_UNREADABLE, CONFIG_INVALID (also: a region or zone that the certificate does not give)
 */
export function ownChain(
  config: NodeConfig,
  peer: PeerId,
  limits: Limits,
): (wallMs: number) => readonly Uint8Array[] {
  const { admission } = config
  const none: readonly Uint8Array[] = []
  if (admission === undefined) return () => none
  if ('certificate' in admission) {
    const own = readDocument(admission.certificate, 'admission.certificate', limits)
    checkLabels(config, certificateOf(own, 'admission.certificate', limits).labels, admission.certificate)
    const chain = [own]
    return () => chain
  }
  const pool = readDocument(admission.pool, 'admission.pool', limits)
  const poolKey = readPrivateKey(admission.poolKey, 'admission.poolKey')
  checkPoolKey(admission, certificateOf(pool, 'admission.pool', limits), poolKey)
  const wished: Labels = new Map(Object.entries(config.labels).sort(([a], [b]) => (a < b ? -1 : 1)))
  const labels = grantedLabels(certificateOf(pool, 'admission.pool', limits), wished)
  checkLabels(config, labels, admission.pool)
  return signedForItsTime((validity) => [
    encodeEnvelope(issueNodeCertificate({ peer, labels, ...validity }, poolKey)),
    pool,
  ])
}

/** Peers would refuse what another key signed, and say no more than that. */
function checkPoolKey(
  paths: { readonly pool: string; readonly poolKey: string },
  { subject }: Certificate,
  { id }: PrivateKey,
): void {
  if ('pool' in subject && subject.key === id) return
  const text = `admission.poolKey: ${paths.poolKey} is not the key of the pool in ${paths.pool}; name those that were made together`
  throw new MeshError('CONFIG_INVALID', text, { key: 'admission.poolKey' })
}

/** Labels of the node as its peers see them; empty without a certificate. */
export const certifiedLabels = (chain: readonly Uint8Array[], limits: Limits): Labels =>
  chain[0] === undefined ? new Map() : certificateOf(chain[0], 'admission', limits).labels

function certificateOf(bytes: Uint8Array, key: string, limits: Limits): Certificate {
  try {
    return decodeCertificate(decodeEnvelope(bytes, limits.maxCertificateBytes, limits).payload, limits)
  } catch (error) {
    throw new MeshError('CONFIG_INVALID', `${key}: no certificate: ${(error as Error).message}`, { key })
  }
}

/** Peers believe the certificate alone: a node that thought itself elsewhere would talk past its region. */
function checkLabels(config: NodeConfig, granted: Labels, path: string): void {
  for (const name of ['region', 'zone']) {
    const wished = config.labels[name]
    if (wished === undefined || wished === granted.get(name)) continue
    const given = granted.get(name) ?? 'none'
    const text = `labels.${name}: ${wished}, but ${path} gives ${given}; take it out, or admit the node with it`
    throw new MeshError('CONFIG_INVALID', text, { key: `labels.${name}` })
  }
}

/** Milliseconds since 1970 at which the first link of a chain ends; undefined where there is no chain. */
export function chainExpires(chain: readonly Uint8Array[], limits: Limits): number | undefined {
  const ends = chain.map((bytes) => certificateOf(bytes, 'admission', limits).notAfter)
  return ends.length === 0 ? undefined : Math.min(...ends)
}
