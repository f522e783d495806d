import { decodeCertificate, encodeCertificate } from '../codec/certificate.ts'
import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Certificate, Labels } from '../model/certificate.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel, Digest, KeyId, Name, Pattern, PeerId } from '../model/ids.ts'
import { matches } from '../model/pattern.ts'
import type { PublicKey, TrustRoot } from '../model/root.ts'
import type { PrivateKey } from './private-key.ts'
import { importPublicKey } from './public-key.ts'
import { signEnvelope } from './signing.ts'
import { keysOf, signers } from './threshold.ts'

/** Milliseconds since 1970, both ends included. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

/** Who a certificate chain says a node is. */
export interface Admission extends Validity {
  readonly peer: PeerId
  readonly labels: Labels
  /** The admission key at the chain's end. */
  readonly issuer: KeyId
  /** All members of a pool count as one identity. */
  readonly pool?: { readonly name: Name; readonly key: KeyId; readonly notAfter: number }
}

/** @param key an admission key, or the key of a pool that may grant the labels */
export function issueNodeCertificate(
  node: { readonly peer: PeerId; readonly labels: Labels } & Validity,
  key: PrivateKey,
): Envelope {
  const { peer, labels, notBefore, notAfter } = node
  return issue({ v: 1, critical: [], subject: { peer }, labels, notBefore, notAfter }, key)
}

/** @param pool `labels`: for each label that members may be given, a pattern of its values */
export function issuePool(
  pool: { readonly name: Name; readonly key: PublicKey; readonly labels: Labels } & Validity,
  admissionKey: PrivateKey,
): Envelope {
  const { name, key, labels, notBefore, notAfter } = pool
  const subject = { pool: name, key: key.id, spki: key.spki }
  return issue({ v: 1, critical: [], subject, labels, notBefore, notAfter }, admissionKey)
}

/** Those of a node's labels that the pool may grant; others may be used on the host, but nobody else believes them. */
export function grantedLabels(pool: Certificate, labels: Labels): Labels {
  return new Map([...labels].filter(([name, value]) => grants(pool, name, value)))
}

/** A pool whose certificate an admission key signed, verified under one root. */
export interface VerifiedPool {
  readonly certificate: Certificate
  readonly name: Name
  readonly key: PublicKey
  readonly issuer: KeyId
}

/** Pools verified under one root, by the digest of their envelope. */
export type PoolMemory = Map<Digest, VerifiedPool>

/** Pools remembered under one root; a fleet has a few. */
const MAX_POOLS = 64

/**
 * Decodes a chain and checks its signatures and labels, under the root's admission keys. Time and removal are judged
 * by the caller, who has a clock: the result says how long the whole chain is valid.
 * @param chain encoded envelopes, node first, then the pool that signed it, if one did
 * @param pools those verified under this very root; grows
 * @throws MeshError CODEC_*, LIMIT_*, TRUST_TYPE, ADMIT_REFUSED, ADMIT_LABELS
 */
export function readChain(
  chain: readonly Uint8Array[],
  root: TrustRoot,
  limits: Limits,
  pools: PoolMemory = new Map(),
): Admission {
  const [nodeBytes, poolBytes] = chain
  if (nodeBytes === undefined || chain.length > 2) {
    throw refused(
      chain.length === 0
        ? 'the node shows no certificate'
        : `a certificate chain has one or two links, not ${chain.length}`,
    )
  }
  const issuers = keysOf(root.admission.keys, root.keys)
  if (poolBytes === undefined) {
    const { certificate, issuer } = openCertificate(nodeBytes, issuers, limits, 'the node')
    return { peer: peerIn(certificate), labels: certificate.labels, issuer, ...validityOf([certificate]) }
  }
  const { certificate, name: poolName, key, issuer } = readPool(poolBytes, issuers, limits, pools)
  const { certificate: node } = openCertificate(nodeBytes, new Map([[key.id, key]]), limits, 'the node')
  const { labels } = node
  for (const [name, value] of labels) {
    if (grants(certificate, name, value)) continue
    throw new MeshError('ADMIT_LABELS', `pool ${poolName} may not grant the label ${name}=${value}`, {
      pool: poolName,
    })
  }
  return {
    peer: peerIn(node),
    labels,
    issuer,
    pool: { name: poolName, key: key.id, notAfter: certificate.notAfter },
    ...validityOf([node, certificate]),
  }
}

function peerIn({ subject }: Certificate): PeerId {
  if ('peer' in subject) return subject.peer
  throw refused('the first certificate names a pool, not a node')
}

function readPool(
  bytes: Uint8Array,
  issuers: ReadonlyMap<KeyId, PublicKey>,
  limits: Limits,
  pools: PoolMemory,
): VerifiedPool {
  const digest = sha256(bytes)
  const known = pools.get(digest)
  if (known !== undefined) return known
  const { certificate, issuer } = openCertificate(bytes, issuers, limits, 'the pool')
  const { subject } = certificate
  if (!('pool' in subject)) throw refused('the second certificate names a node, not a pool')
  // Under its own id: decodeCertificate has compared them.
  const key = importPublicKey(subject.spki)
  const verified = { certificate, name: subject.pool, key, issuer }
  if (pools.size < MAX_POOLS) pools.set(digest, verified)
  return verified
}

function issue(certificate: Certificate, key: PrivateKey): Envelope {
  if (certificate.notAfter < certificate.notBefore)
    throw refused('the certificate would end before it begins')
  return signEnvelope('certificate', encodeCertificate(certificate), [key])
}

interface Issued {
  readonly certificate: Certificate
  readonly issuer: KeyId
}

/** What nobody of these signed is not even read: a stranger's of a newer form would have this node say "upgrade". */
function openCertificate(
  bytes: Uint8Array,
  issuers: ReadonlyMap<KeyId, PublicKey>,
  limits: Limits,
  what: string,
): Issued {
  const envelope = decodeEnvelope(bytes, limits.maxCertificateBytes, limits)
  const [issuer] = signers(envelope, 'certificate', issuers, limits)
  if (issuer === undefined) throw refused(`the certificate of ${what} is signed by no key that may admit it`)
  const certificate = decodeCertificate(envelope.payload, limits)
  if (certificate.critical.length > 0) {
    const names = certificate.critical.join(', ')
    throw new MeshError('CODEC_UNSUPPORTED', `the certificate of ${what} needs ${names}; upgrade this node`)
  }
  return { certificate, issuer }
}

/** A label's value is one segment, so patterns of channels say what may be granted. */
function grants(pool: Certificate, name: string, value: string): boolean {
  const pattern = pool.labels.get(name)
  return pattern !== undefined && matches(pattern as Pattern, value as Channel)
}

function validityOf(links: readonly Validity[]): Validity {
  return {
    notBefore: Math.max(...links.map((link) => link.notBefore)),
    notAfter: Math.min(...links.map((link) => link.notAfter)),
  }
}

function refused(text: string): MeshError {
  return new MeshError('ADMIT_REFUSED', text)
}
