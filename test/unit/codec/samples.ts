/** One full example of each document, with every optional field where there are some. */
import { decodeBeacon, decodeBeaconPage, encodeBeacon, encodeBeaconPage } from '../../../src/codec/beacon.ts'
import { decodeCertificate, encodeCertificate } from '../../../src/codec/certificate.ts'
import { bytesToHex, channelHash, hexToBytes, sha256 } from '../../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeEnvelopeJson, encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { asCbor } from '../../../src/codec/extra.ts'
import {
  decodeControlGossip,
  decodeReleaseGossip,
  encodeControlGossip,
  encodeReleaseGossip,
} from '../../../src/codec/gossip.ts'
import { decodeHeader, encodeHeader } from '../../../src/codec/header.ts'
import { decodeHeartbeat, encodeHeartbeat } from '../../../src/codec/heartbeat.ts'
import { decodePage, encodePage } from '../../../src/codec/page.ts'
import { decodePeerRecord, encodePeerRecord } from '../../../src/codec/peer-record.ts'
import { decodeRoot, encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Beacon, BeaconPage } from '../../../src/model/beacon.ts'
import type { Certificate } from '../../../src/model/certificate.ts'
import { type Envelope, PAYLOAD_TYPES } from '../../../src/model/envelope.ts'
import type { Heartbeat } from '../../../src/model/heartbeat.ts'
import type { FleetId, KeyId, ReleaseId } from '../../../src/model/ids.ts'
import type { ManifestEntry, ManifestPage } from '../../../src/model/manifest.ts'
import { parseAddress, parseChannel, parseName, parsePattern, parsePeerId } from '../../../src/model/names.ts'
import type { PeerRecord } from '../../../src/model/peer-record.ts'
import type { Header } from '../../../src/model/release.ts'
import type { PublicKey, TrustRoot } from '../../../src/model/root.ts'

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const digestOf = (text: string) => sha256(utf8(text))
export const releaseOf = (text: string) => digestOf(text) as string as ReleaseId

export const fleet = digestOf('a fleet') as string as FleetId
export const channel = parseChannel('payments/prod')
export const alice = parseName('alice')
export const bob = parseName('bob')
export const peer = parsePeerId('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp')
const address = parseAddress(`/ip4/10.1.2.3/tcp/7400/p2p/${peer}`)

/** Real Ed25519 keys of RFC 8032 §7.1, tests 1 and 2, as SPKI. */
function key(raw: string): PublicKey {
  const spki = hexToBytes(`302a300506032b6570032100${raw}`)
  return { id: sha256(spki) as string as KeyId, type: 'ed25519', spki }
}
export const keyOne = key('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
export const keyTwo = key('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
export const bothKeys = [keyOne.id, keyTwo.id].sort()

const file = (path: string, content: string): ManifestEntry => ({
  path,
  mode: path.endsWith('.sh') ? 0o555 : 0o444,
  size: content.length,
  digest: digestOf(content),
  blocks: content === '' ? [] : [{ digest: digestOf(content), size: content.length }],
})

export const page: ManifestPage = [file('app.yaml', 'a: 1\n'), file('bin/run.sh', '#!\n'), file('empty', '')]

export const header: Header = {
  v: 1,
  critical: ['rollout'],
  fleet,
  channel,
  root: 3,
  publisher: alice,
  clock: new Map([
    [alice, 7],
    [bob, 2],
  ]),
  pages: [sha256(encodePage(page))],
  files: 3,
  bytes: 8,
  message: 'größer: 70 % of the pool',
  created: 1_767_225_600_123,
  expires: 1_798_761_600_000,
  rollout: asCbor.pack({ steps: [1, 10, 100] }),
  requires: asCbor.pack(['base']),
}

export const firstRoot: TrustRoot = {
  v: 1,
  critical: [],
  fleetId: fleet,
  version: 1,
  expires: Date.parse('2028-01-01T00:00:00Z'),
  keys: new Map([keyOne, keyTwo].sort((a, b) => (a.id < b.id ? -1 : 1)).map((k) => [k.id, k])),
  root: { keys: bothKeys, threshold: 2 },
  publishers: new Map([
    [
      alice,
      {
        name: alice,
        keys: [keyOne.id],
        threshold: 1,
        patterns: [parsePattern('payments/*'), parsePattern('web/**')],
      },
    ],
  ]),
  admission: { keys: [keyTwo.id] },
  freshness: { keys: [keyOne.id], maxAgeS: 120, maxSkewS: 300 },
  epochs: [],
  removed: { peers: [], pools: [] },
}

export const laterRoot: TrustRoot = {
  ...firstRoot,
  version: 4,
  expires: Date.parse('2029-06-30T12:00:00.250Z'),
  epochs: [
    { pattern: parsePattern('payments/*'), value: 3 },
    { pattern: parsePattern('**'), value: 1 },
  ],
  removed: {
    peers: [{ id: peer, until: Date.parse('2028-01-01T00:00:00Z') }],
    pools: [{ key: keyTwo.id }],
  },
}

export const nodeCertificate: Certificate = {
  v: 1,
  critical: [],
  subject: { peer },
  labels: new Map([
    ['region', 'eu-west'],
    ['zone', 'a'],
  ]),
  notBefore: Date.parse('2026-01-01T00:00:00Z'),
  notAfter: Date.parse('2027-01-01T00:00:00Z'),
}

export const poolCertificate: Certificate = {
  ...nodeCertificate,
  subject: { pool: parseName('edge'), key: keyOne.id, spki: keyOne.spki },
  labels: new Map([['region', '*']]),
}

export const beaconPage: BeaconPage = [
  { channel: channelHash(channel), top: { epoch: 3, counter: 7, publisher: alice }, target: releaseOf('r') },
  {
    channel: channelHash(parseChannel('web/a')),
    top: { epoch: 1, counter: 2, publisher: bob },
    target: 'held' as const,
  },
  {
    channel: channelHash(parseChannel('web/b')),
    top: { epoch: 4, counter: 0, publisher: '' as const },
    target: 'none' as const,
  },
].sort((a, b) => (a.channel < b.channel ? -1 : 1))

export const beacon: Beacon = {
  v: 1,
  critical: [],
  fleet,
  root: 4,
  key: keyOne.id,
  at: 1_767_225_600_123,
  pages: [sha256(encodeBeaconPage(beaconPage))],
}

export const heartbeat: Heartbeat = {
  v: 1,
  critical: [],
  peer,
  region: parseName('eu-west'),
  addresses: [address],
  at: 1_767_225_600_123,
}

export const peerRecord: PeerRecord = {
  v: 1,
  critical: [],
  peer,
  at: 1_767_225_600_123,
  addresses: [address],
  patterns: [parsePattern('payments/*')],
  region: 'eu-west',
  zone: '',
  submit: false,
  chain: [utf8('a certificate')],
}

export const envelope: Envelope = {
  payloadType: PAYLOAD_TYPES.release,
  payload: encodeHeader(header),
  signatures: [
    { keyId: keyOne.id, sig: new Uint8Array(64).fill(1) },
    { keyId: keyTwo.id, sig: new Uint8Array(70).fill(2) },
  ],
}

export interface Sample<T> {
  readonly name: string
  readonly value: T
  readonly encode: (value: T) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T
}

const sample = <T>(
  name: string,
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Sample<T> => ({ name, value, encode, decode })

const root = (name: string, value: TrustRoot) =>
  sample(name, value, encodeRoot, (bytes) => decodeRoot(bytes, LIMITS))

/** The first root names its fleet only by its digest. */
const fleetOfFirst = sha256(encodeRoot(firstRoot)) as string as FleetId

export const samples: readonly Sample<never>[] = [
  sample('header', header, encodeHeader, (bytes) => decodeHeader(bytes, LIMITS).header),
  sample('manifest-page', page, encodePage, (bytes) => decodePage(bytes, LIMITS)),
  root('root-1', { ...firstRoot, fleetId: fleetOfFirst }),
  root('root-4', laterRoot),
  sample('certificate-node', nodeCertificate, encodeCertificate, (bytes) => decodeCertificate(bytes, LIMITS)),
  sample('certificate-pool', poolCertificate, encodeCertificate, (bytes) => decodeCertificate(bytes, LIMITS)),
  sample('beacon', beacon, encodeBeacon, (bytes) => decodeBeacon(bytes, LIMITS)),
  sample('beacon-page', beaconPage, encodeBeaconPage, (bytes) => decodeBeaconPage(bytes, LIMITS)),
  sample('heartbeat', heartbeat, encodeHeartbeat, (bytes) => decodeHeartbeat(bytes, LIMITS)),
  sample('peer-record', peerRecord, encodePeerRecord, (bytes) => decodePeerRecord(bytes, LIMITS)),
  sample('envelope', envelope, encodeEnvelope, (bytes) =>
    decodeEnvelope(bytes, LIMITS.maxEnvelopeBytes, LIMITS),
  ),
  sample(
    'envelope-json',
    envelope,
    (value) => utf8(encodeEnvelopeJson(value)),
    (bytes) => decodeEnvelopeJson(new TextDecoder().decode(bytes), LIMITS),
  ),
  sample(
    'gossip-release',
    { envelope: encodeEnvelope(envelope), attached: [encodePage(page), utf8('a: 1\n'), utf8('#!\n')] },
    encodeReleaseGossip,
    (bytes) => decodeReleaseGossip(bytes, LIMITS),
  ),
  sample(
    'gossip-control',
    { kind: 'beacon' as const, envelope: encodeEnvelope(envelope) },
    encodeControlGossip,
    (bytes) => decodeControlGossip(bytes, LIMITS),
  ),
] as unknown as readonly Sample<never>[]

export const golden = (bytes: Uint8Array) => ({ sha256: sha256(bytes), bytes: bytesToHex(bytes) })
