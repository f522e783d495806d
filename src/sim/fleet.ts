import { sha256 } from '../codec/digest.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { encodeHeader } from '../codec/header.ts'
import { encodePage } from '../codec/page.ts'
import { encodeRoot } from '../codec/root.ts'
import type { Channel, Digest, FleetId, Name, Pattern, PeerId, ReleaseId } from '../model/ids.ts'
import type { ManifestPage } from '../model/manifest.ts'
import type { Header } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { issueNodeCertificate, issuePool } from '../trust/certificates.ts'
import { firstRoot } from '../trust/first-root.ts'
import type { PrivateKey } from '../trust/private-key.ts'
import { signEnvelope } from '../trust/signing.ts'
import { keyNamed } from './keys.ts'

/** The trust of a simulated fleet: two publishers that share all channels, seeds that sign beacons. */
export interface Trust {
  readonly fleetId: FleetId
  readonly root: TrustRoot
  readonly rootEnvelope: Uint8Array
  readonly rootKey: PrivateKey
  readonly publishers: ReadonlyMap<Name, PrivateKey>
  readonly freshness: readonly PrivateKey[]
  /** Every simulated host has this pool's key; it grants any region and zone. */
  readonly poolKey: PrivateKey
  readonly poolEnvelope: Uint8Array
}

/** Before and after any simulated time. */
const VALIDITY = { notBefore: 0, notAfter: Date.UTC(2100, 0, 1) }

export const PUBLISHERS = ['alpha', 'beta'] as Name[]

export function trustOf(seeds: number): Trust {
  const rootKey = keyNamed('root')
  const admissionKey = keyNamed('admission')
  const publishers = new Map(PUBLISHERS.map((name) => [name, keyNamed(`publisher ${name}`)]))
  const freshness = Array.from({ length: seeds }, (_, at) => keyNamed(`freshness ${at}`))
  const root = firstRoot({
    expires: Date.UTC(2100, 0, 1),
    rootKeys: [rootKey.public],
    rootThreshold: 1,
    publishers: [...publishers].map(([name, key]) => ({
      name,
      keys: [key.public],
      threshold: 1,
      patterns: ['**' as Pattern],
    })),
    admissionKeys: [admissionKey.public],
    freshnessKeys: freshness.map((key) => key.public),
    maxAgeS: 90,
    maxSkewS: 60,
  })
  const payload = encodeRoot(root)
  const poolKey = keyNamed('pool')
  const pool = issuePool(
    { name: 'hosts' as Name, key: poolKey.public, labels: GRANTS, ...VALIDITY },
    admissionKey,
  )
  return {
    fleetId: sha256(payload) as string as FleetId,
    root,
    rootEnvelope: encodeEnvelope(signEnvelope('root', payload, [rootKey])),
    rootKey,
    publishers,
    freshness,
    poolKey,
    poolEnvelope: encodeEnvelope(pool),
  }
}

/** What a pool's labels say: any region, any zone. */
const GRANTS = new Map([
  ['region', '*'],
  ['zone', '*'],
])

/** The certificate chain of a host: signed with the pool's key, as the daemon does at its start. */
export function chainOf(trust: Trust, peer: PeerId, region: string, zone: string): readonly Uint8Array[] {
  const labels = new Map([
    ['region', region],
    ['zone', zone],
  ])
  const own = issueNodeCertificate({ peer, labels, ...VALIDITY }, trust.poolKey)
  return [encodeEnvelope(own), trust.poolEnvelope]
}

/** A release with its content, ready to be submitted. */
export interface Made {
  readonly id: ReleaseId
  readonly header: Header
  readonly envelope: Uint8Array
  /** Digest → bytes, of pages and blocks. */
  readonly content: ReadonlyMap<Digest, Uint8Array>
  /** Path → digest of the file. */
  readonly files: ReadonlyMap<string, Digest>
}

export interface Order {
  readonly channel: Channel
  readonly publisher: Name
  readonly clock: ReadonlyMap<Name, number>
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly message: string
  readonly created: number
}

const BLOCK_BYTES = 16 * 1024

export function makeRelease(trust: Trust, order: Order): Made {
  const content = new Map<Digest, Uint8Array>()
  const put = (bytes: Uint8Array): Digest => {
    const digest = sha256(bytes)
    content.set(digest, bytes)
    return digest
  }
  const page: ManifestPage = [...order.files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, bytes]) => ({
      path,
      mode: 0o444,
      size: bytes.length,
      digest: sha256(bytes),
      blocks: blocksOf(bytes).map((block) => ({ digest: put(block), size: block.length })),
    }))
  const header: Header = {
    v: 1,
    critical: [],
    fleet: trust.fleetId,
    channel: order.channel,
    root: trust.root.version,
    publisher: order.publisher,
    clock: order.clock,
    pages: [put(encodePage(page))],
    files: order.files.size,
    bytes: [...order.files.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    message: order.message,
    created: order.created,
  }
  const payload = encodeHeader(header)
  const key = trust.publishers.get(order.publisher)
  const envelope = encodeEnvelope(signEnvelope('release', payload, key === undefined ? [] : [key]))
  const files = new Map(page.map((entry) => [entry.path, entry.digest]))
  return { id: sha256(payload) as string as ReleaseId, header, envelope, content, files }
}

function blocksOf(bytes: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) blocks.push(bytes.subarray(at, at + BLOCK_BYTES))
  return blocks
}
