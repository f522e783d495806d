/** A fleet's keys and documents, honest or forged, for tests that attack a real node. */
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeHeader } from '../../../src/codec/header.ts'
import { encodeCanonicalJson } from '../../../src/codec/json.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { Envelope } from '../../../src/model/envelope.ts'
import type { Channel, Digest, Name, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { ManifestEntry } from '../../../src/model/manifest.ts'
import { parsePattern } from '../../../src/model/names.ts'
import type { Header } from '../../../src/model/release.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { issueNodeCertificate } from '../../../src/trust/certificates.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'

const HOUR_MS = 3_600_000
const second = (ms: number): number => Math.floor(ms / 1_000) * 1_000

export const PUBLISHER = 'pay' as Name
export const CHANNEL = 'pay/prod' as Channel

/** A signed release with every byte of its content. */
export interface MadeRelease {
  readonly id: ReleaseId
  readonly header: Header
  readonly envelope: Envelope
  /** As it travels. */
  readonly bytes: Uint8Array
  readonly pages: readonly Uint8Array[]
  readonly blocks: readonly Uint8Array[]
  readonly content: ReadonlyMap<Digest, Uint8Array>
}

/** What a root's JSON says, as far as tests alter it. */
export interface RootDocument {
  readonly keys: Record<string, { type: string; spki: string }>
  readonly publishers: Record<string, { keys: string[]; threshold: number; patterns: string[] }>
  epochs: { pattern: string; value: number }[]
}

export interface ReleaseOptions {
  readonly counter?: number
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  readonly keys?: readonly PrivateKey[]
  /** On top of an honest header. */
  readonly header?: Partial<Header>
  /** Instead of pages that match the files. */
  readonly pages?: readonly Uint8Array[]
}

export interface FleetOptions {
  readonly patterns?: readonly string[]
  readonly threshold?: number
  /** After so long without a beacon a node is silent. */
  readonly maxAgeS?: number
}

export class AttackedFleet {
  readonly rootKey = generatePrivateKey('ed25519').key
  readonly publisherKeys: readonly PrivateKey[] = [1, 2, 3].map(() => generatePrivateKey('ed25519').key)
  readonly admissionKey = generatePrivateKey('ed25519').key
  readonly freshness = generatePrivateKey('ed25519')
  readonly threshold: number
  root: TrustRoot

  constructor({ patterns = ['pay/**'], threshold = 2, maxAgeS = 60 }: FleetOptions = {}) {
    this.threshold = threshold
    this.root = firstRoot({
      rootKeys: [this.rootKey.public],
      rootThreshold: 1,
      publishers: [
        {
          name: PUBLISHER,
          keys: this.publisherKeys.map((key) => key.public),
          threshold,
          patterns: patterns.map(parsePattern),
        },
      ],
      admissionKeys: [this.admissionKey.public],
      freshnessKeys: [this.freshness.key.public],
      maxAgeS,
      maxSkewS: 300,
      expires: second(Date.now() + 1_000 * HOUR_MS),
    })
  }

  /** Signed by the root key, or by whoever pretends to be. */
  signedRoot(root: TrustRoot = this.root, keys: readonly PrivateKey[] = [this.rootKey]): Envelope {
    return signEnvelope('root', encodeRoot(root), keys)
  }

  /** Signed by the root key, as it travels, and from now on the root of this fleet's releases. */
  rotate(next: TrustRoot, keys: readonly PrivateKey[] = [this.rootKey]): Uint8Array {
    this.root = next
    return encodeEnvelope(this.signedRoot(next, keys))
  }

  /** As no tool of ours would write it, with the root key's good signature on it. */
  alteredRoot(root: TrustRoot, alter: (document: RootDocument) => void): Uint8Array {
    const document = JSON.parse(new TextDecoder().decode(encodeRoot(root))) as RootDocument
    alter(document)
    return encodeEnvelope(signEnvelope('root', encodeCanonicalJson(document), [this.rootKey]))
  }

  /** The chain that gets this peer admitted. */
  chainFor(
    peer: PeerId,
    key: PrivateKey = this.admissionKey,
    labels = new Map<string, string>(),
  ): Envelope[] {
    const notBefore = second(Date.now() - HOUR_MS)
    return [issueNodeCertificate({ peer, labels, notBefore, notAfter: notBefore + 100 * HOUR_MS }, key)]
  }

  release(options: ReleaseOptions = {}): MadeRelease {
    const files = Object.entries(options.files ?? { 'app.yaml': `counter: ${options.counter ?? 1}\n` })
    const blocks = files.map(([, text]) => (typeof text === 'string' ? Buffer.from(text) : text))
    const entries = files.map(([path], at): ManifestEntry => entryOf(path, blocks[at] as Uint8Array))
    const pages = options.pages ?? [encodePage(entries.sort(byPath))]
    const publisher = options.header?.publisher ?? PUBLISHER
    const header: Header = {
      v: 1,
      critical: [],
      fleet: this.root.fleetId,
      channel: CHANNEL,
      root: this.root.version,
      publisher,
      clock: new Map([[publisher, options.counter ?? 1]]),
      pages: pages.map(sha256),
      files: files.length,
      bytes: blocks.reduce((sum, { length }) => sum + length, 0),
      message: `release ${options.counter ?? 1}`,
      created: Date.now(),
      ...options.header,
    }
    const payload = encodeHeader(header)
    const keys = options.keys ?? this.publisherKeys.slice(0, this.threshold)
    const envelope = signEnvelope('release', payload, keys)
    return {
      id: sha256(payload) as string as ReleaseId,
      header,
      envelope,
      bytes: encodeEnvelope(envelope),
      pages,
      blocks,
      content: new Map([...pages, ...blocks].map((bytes) => [sha256(bytes), bytes])),
    }
  }
}

const byPath = (a: ManifestEntry, b: ManifestEntry): number =>
  Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))

/** A file of one block. */
export function entryOf(path: string, bytes: Uint8Array): ManifestEntry {
  const digest = sha256(bytes)
  const blocks = bytes.length === 0 ? [] : [{ digest, size: bytes.length }]
  return { path, mode: 0o444, size: bytes.length, digest, blocks }
}
