/** A small fleet's trust, real keys and releases, for tests of the core. */

import { decode as decodeLoosely } from '@ipld/dag-cbor'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encode } from '../../../src/codec/cbor.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { encodeHeader } from '../../../src/codec/header.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { CoreConfig } from '../../../src/core/config.ts'
import type { Event } from '../../../src/core/events.ts'
import type { GatewayBook, Stage } from '../../../src/core/stage.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Digest, Name, Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { Header, Release } from '../../../src/model/release.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { raiseEpoch } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'

/** Where the stage that knows gateways is left out. */
export const NO_GATEWAYS: Stage & GatewayBook = {
  of: () => [],
  regions: () => [],
  stands: () => false,
  keeps: () => false,
  heartbeats: () => [],
}

export const WALL_MS = Date.UTC(2030, 0, 1)
export const CHANNEL = 'app/web' as Channel
export const SELF = '12D3KooWself' as PeerId
export const PEER = '12D3KooWpeer' as PeerId
export const OTHER = '12D3KooWother' as PeerId

const rootKey = generatePrivateKey('ed25519').key
export const PUBLISHER_KEYS: Readonly<Record<string, PrivateKey>> = {
  alice: generatePrivateKey('ed25519').key,
  bob: generatePrivateKey('ed25519').key,
}

export const ROOT: TrustRoot = firstRoot({
  rootKeys: [rootKey.public],
  rootThreshold: 1,
  publishers: Object.entries(PUBLISHER_KEYS).map(([name, key]) => ({
    name: name as Name,
    keys: [key.public],
    threshold: 1,
    patterns: ['app/**' as Pattern],
  })),
  admissionKeys: [],
  freshnessKeys: [],
  maxAgeS: 60,
  maxSkewS: 10,
  expires: WALL_MS + 365 * 24 * 3_600_000,
})

export const rootBytes = (root: TrustRoot): Uint8Array =>
  encodeEnvelope(signEnvelope('root', encodeRoot(root), [rootKey]))

export const raised = (root: TrustRoot): TrustRoot => raiseEpoch(root, '**' as Pattern)

export const coreConfig = (change: Partial<CoreConfig> = {}): CoreConfig => ({
  self: SELF,
  root: rootBytes(ROOT),
  patterns: ['app/**' as Pattern],
  region: 'here',
  zone: 'a',
  submit: false,
  seeds: [],
  chain: () => [],
  keepReleases: 3,
  soakMs: 30_000,
  materialize: true,
  random: () => 0,
  limits: LIMITS,
  ...change,
})

export interface Made {
  readonly release: Release
  readonly id: ReleaseId
  readonly envelope: Uint8Array
  readonly page: Uint8Array
  readonly block: Uint8Array
  readonly content: ReadonlyMap<Digest, Uint8Array>
}

export interface Wish {
  readonly clock: Readonly<Record<string, number>>
  readonly publisher?: string
  readonly text?: string
  /** More files. */
  readonly also?: string | readonly string[]
  readonly header?: Partial<Header>
  readonly signedBy?: PrivateKey
}

const fileOf = (path: string, block: Uint8Array) => {
  const [digest, size] = [sha256(block), block.length]
  return { path, mode: 0o444 as const, size, digest, blocks: [{ digest, size }] }
}

/** A signed release with one page and a block for each file. The publisher is alice unless named. */
export function make({
  clock,
  publisher = 'alice',
  text = 'a=1\n',
  also = [],
  header = {},
  signedBy,
}: Wish): Made {
  const block = new TextEncoder().encode(text)
  const blocks = [block, ...[also].flat().map((each) => new TextEncoder().encode(each))]
  const page = encodePage(blocks.map((each, at) => fileOf(`${'abcdefgh'[at]}.conf`, each)))
  const full: Header = {
    v: 1,
    critical: [],
    fleet: ROOT.fleetId,
    channel: CHANNEL,
    root: 1,
    publisher: publisher as Name,
    clock: new Map(Object.entries(clock).sort() as [Name, number][]),
    pages: [sha256(page)],
    files: blocks.length,
    bytes: blocks.reduce((sum, { length }) => sum + length, 0),
    message: '',
    created: WALL_MS,
    ...header,
  }
  const payload = encodeHeader(full)
  const id = sha256(payload) as string as ReleaseId
  const key = signedBy ?? (PUBLISHER_KEYS[publisher] as PrivateKey)
  const release = { id, header: full, counter: clock[publisher] ?? 0 }
  const envelope = encodeEnvelope(signEnvelope('release', payload, [key]))
  const content = new Map([[sha256(page), page], ...blocks.map((each) => [sha256(each), each] as const)])
  return { release, id, envelope, page, block, content }
}

/** The same in the format of a later build: names unknown here, and another version. */
export function inNewerFormat({ envelope }: Made, key = PUBLISHER_KEYS.alice as PrivateKey): Uint8Array {
  const { payload } = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  const header = encode({ ...(decodeLoosely(payload) as object), v: 2, moons: 2 })
  return encodeEnvelope(signEnvelope('release', header, [key]))
}

export const withLimits = (change: Partial<Limits>): Limits => ({ ...LIMITS, ...change })

/** A release as gossip brings it, with its content or without. */
export const gossip = (
  made: Pick<Made, 'envelope'>,
  attached: readonly Uint8Array[] = [],
  from = PEER,
): Event => ({
  kind: 'gossip',
  topic: 'releases',
  from,
  id: 'm1',
  bytes: encodeReleaseGossip({ envelope: made.envelope, attached: [...attached] }),
})

/** A block or page, as the answer to a request. */
export const given = (id = 0, bytes: Uint8Array): Event => ({
  kind: 'reply',
  id,
  reply: { protocol: 'blocks', message: { type: 'block', bytes } },
})

export const floorOf = (made: Made, epoch = 1) => ({
  fleet: ROOT.fleetId,
  channel: CHANNEL,
  top: { epoch, counter: made.release.counter, publisher: made.release.header.publisher },
  ids: [made.id],
})

/** The channel's record, where these are its heads. */
export const record = (heads: readonly string[], change: object = {}) => ({
  channel: CHANNEL,
  heads,
  active: undefined,
  lastGood: undefined,
  lastGoodEpoch: 0,
  failed: [],
  history: [],
  ...change,
})
