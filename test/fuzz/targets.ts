/** Everything that reads bytes of others. Each takes any bytes, and refuses with one of our codes what it does not take. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeBeacon, decodeBeaconPage } from '../../src/codec/beacon.ts'
import { decodeStrict } from '../../src/codec/cbor.ts'
import { decodeCertificate } from '../../src/codec/certificate.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
import { decodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { decodeControlGossip, decodeReleaseGossip } from '../../src/codec/gossip.ts'
import { decodeHeader } from '../../src/codec/header.ts'
import { decodeHeartbeat } from '../../src/codec/heartbeat.ts'
import { parseJson } from '../../src/codec/json.ts'
import { checkManifest } from '../../src/codec/manifest.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../src/codec/messages.ts'
import { decodePage } from '../../src/codec/page.ts'
import { decodePeerRecord } from '../../src/codec/peer-record.ts'
import { decodeRoot } from '../../src/codec/root.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { isMeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import { parseAddress, parseChannel, parsePattern } from '../../src/model/names.ts'
import { openCar } from '../../src/publish/car.ts'
import { replies, requests } from '../unit/codec/message-samples.ts'

export interface Target {
  readonly name: string
  readonly run: (bytes: Uint8Array) => unknown
}

const scratch = mkdtempSync(join(tmpdir(), 'confmesh-fuzz-'))
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(scratch, name)
  writeFileSync(path, bytes)
  return path
}
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
const MAX_BYTES = 512 * 1024

/** A page that decodes is judged as a whole manifest, too: paths, order, sums. */
function page(bytes: Uint8Array): void {
  const entries = decodePage(bytes, LIMITS)
  const declared = {
    files: entries.length,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    pages: ['x'],
  }
  checkManifest(declared as never, [entries], LIMITS)
}

export const PROTOCOLS = ['admit', 'sync', 'blocks', 'publish', 'bridge'] as const

export const TARGETS: readonly Target[] = [
  { name: 'cbor', run: (bytes) => decodeStrict(bytes, { maxBytes: MAX_BYTES, limits: LIMITS }) },
  { name: 'envelope', run: (bytes) => decodeEnvelope(bytes, LIMITS.maxRootBytes, LIMITS) },
  { name: 'header', run: (bytes) => decodeHeader(bytes, LIMITS) },
  { name: 'manifest page and its paths', run: page },
  { name: 'root', run: (bytes) => decodeRoot(bytes, LIMITS) },
  { name: 'certificate', run: (bytes) => decodeCertificate(bytes, LIMITS) },
  { name: 'beacon', run: (bytes) => decodeBeacon(bytes, LIMITS) },
  { name: 'beacon page', run: (bytes) => decodeBeaconPage(bytes, LIMITS) },
  { name: 'heartbeat', run: (bytes) => decodeHeartbeat(bytes, LIMITS) },
  { name: 'peer record', run: (bytes) => decodePeerRecord(bytes, LIMITS) },
  { name: 'gossip of releases', run: (bytes) => decodeReleaseGossip(bytes, LIMITS) },
  { name: 'gossip of control', run: (bytes) => decodeControlGossip(bytes, LIMITS) },
  ...PROTOCOLS.flatMap((protocol): Target[] => [
    { name: `${protocol} request`, run: (bytes) => decodeRequest(protocol, bytes, LIMITS) },
    { name: `${protocol} reply`, run: (bytes) => decodeReply(protocol, bytes, LIMITS) },
  ]),
  { name: 'envelope as JSON', run: (bytes) => decodeEnvelopeJson(text(bytes), LIMITS) },
  { name: 'JSON for people', run: (bytes) => parseJson(text(bytes), LIMITS, 'file') },
  { name: 'channel', run: (bytes) => parseChannel(text(bytes)) },
  { name: 'pattern', run: (bytes) => parsePattern(text(bytes)) },
  { name: 'address', run: (bytes) => parseAddress(text(bytes)) },
  { name: 'configuration', run: (bytes) => loadConfig(file('node.yaml', bytes), {}, new Map()) },
  { name: 'CAR', run: (bytes) => openCar(file('release.car', bytes), LIMITS) },
]

const CONFIG = `root: root.json
data: data
listen: ["/ip4/127.0.0.1/tcp/0"]
labels: { region: eu }
channels: ["pay/*"]
api: { listen: "127.0.0.1:0", hosts: [a] }
limits: { maxChannels: 10 }
hooks: [{ channels: ["**"], command: ["true"], timeoutMs: 5 }]
`

/** The recorded documents, one message of each type, and small texts. */
export function corpus(): readonly Uint8Array[] {
  const folder = join(import.meta.dirname, '../golden')
  const golden = readdirSync(folder).map((name) => {
    const { bytes } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { bytes: string }
    return new Uint8Array(Buffer.from(bytes, 'hex'))
  })
  const messages = PROTOCOLS.flatMap((protocol) => [
    ...requests[protocol].map((message) => encodeRequest(protocol, message as never)),
    ...replies[protocol].map((message) => encodeReply(protocol, message as never)),
  ])
  const found = readdirSync(join(import.meta.dirname, 'corpus')).map(
    (name) => new Uint8Array(readFileSync(join(import.meta.dirname, 'corpus', name))),
  )
  const texts = [CONFIG, 'payments/prod', 'pay/**', '/ip4/127.0.0.1/tcp/7400/p2p/12D3KooW', '{"a":[1,2]}']
  return [...golden, ...messages, ...found, ...texts.map((each) => new Uint8Array(Buffer.from(each)))]
}

/** What is wrong with how the target took these bytes; undefined: taken, or refused with a code. */
export async function fault({ run }: Target, bytes: Uint8Array): Promise<string | undefined> {
  try {
    await run(bytes)
    return undefined
  } catch (error) {
    return isMeshError(error) && error.code !== 'INTERNAL'
      ? undefined
      : String((error as Error).stack ?? error)
  }
}
