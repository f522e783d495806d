/** Everything that reads bytes of others. Each takes any bytes, and refuses with one of our codes what it does not take. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parseTarget } from '../../src/api/target.ts'
import { decodeBeacon, decodeBeaconPage } from '../../src/codec/beacon.ts'
import { decodeStrict } from '../../src/codec/cbor.ts'
import { decodeCertificate } from '../../src/codec/certificate.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import { decodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import type { Form } from '../../src/codec/fields.ts'
import { decodeControlGossip, decodeReleaseGossip } from '../../src/codec/gossip.ts'
import { decodeHeader } from '../../src/codec/header.ts'
import { decodeHeartbeat } from '../../src/codec/heartbeat.ts'
import { parseJson } from '../../src/codec/json.ts'
import { checkManifest } from '../../src/codec/manifest.ts'
import { decodeReply, decodeRequest } from '../../src/codec/messages.ts'
import { decodePage } from '../../src/codec/page.ts'
import { decodePeerRecord } from '../../src/codec/peer-record.ts'
import { decodeRoot } from '../../src/codec/root.ts'
import { isMeshError, MeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import { type DocumentKind, PAYLOAD_TYPES } from '../../src/model/envelope.ts'
import { openMemory } from '../../src/publish/counter.ts'
import { readPrepared } from '../../src/publish/prepared.ts'
import { keyNamed } from '../../src/sim/keys.ts'
import { seal } from '../../src/store/checksum.ts'
import * as records from '../../src/store/records.ts'
import { readChain } from '../../src/trust/certificates.ts'
import { checkHeartbeat, readHeartbeat } from '../../src/trust/heartbeat.ts'
import { openPeerRecord } from '../../src/trust/peer-record.ts'
import type { PrivateKey } from '../../src/trust/private-key.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { CAR_TARGET } from './car.ts'
import { type Change, changed, textOf } from './change.ts'
import { ROOTS, SELF } from './fleet.ts'
import { HTTP_TARGETS } from './http.ts'
import { LEVEL_TARGETS } from './level-files.ts'
import { scratch } from './scratch.ts'
import { SETTING_TARGETS } from './settings.ts'

export interface Target {
  readonly name: string
  readonly run: (bytes: Uint8Array) => unknown
  /** What is right for it; absent: those of all inputs that it takes. */
  readonly samples?: readonly Uint8Array[]
  /** Of what is right, in its own form; absent: by what the sample looks like. */
  readonly change?: Change
}

const ROOT = decodeRoot(decodeEnvelope(ROOTS[0] as Uint8Array, LIMITS.maxRootBytes, LIMITS).payload, LIMITS)

const folder = scratch('files')
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
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

/** As a node's certificate, and as that of the pool which signed one: taken as either, and the first hides no other. */
function chain(bytes: Uint8Array): void {
  const [node, pool] = SELF.chain as [Uint8Array, Uint8Array]
  let isTaken = false
  let refused: unknown
  for (const links of [[bytes], [bytes, pool], [node, bytes]])
    try {
      readChain(links, ROOT, LIMITS)
      isTaken = true
    } catch (error) {
      if (!isMeshError(error)) throw error
      refused = error
    }
  if (!isTaken) throw refused
}

/** What is signed says something else, and is signed again. */
const signedBy =
  (key: PrivateKey): Change =>
  (random, samples) => {
    const opened = samples.map((sample) => decodeEnvelope(sample, LIMITS.maxRootBytes, LIMITS))
    const { payloadType } = random.pick(opened)
    const alike = opened.filter((envelope) => envelope.payloadType === payloadType)
    const payload = changed(
      random,
      alike.map((envelope) => envelope.payload),
    )
    const kind = Object.entries(PAYLOAD_TYPES).find(([, type]) => type === payloadType)?.[0]
    return encodeEnvelope(signEnvelope(kind as DocumentKind, payload, [key]))
  }
const OWN = signedBy(keyNamed('fuzz self'))

const FORMS: readonly (readonly [name: string, form: Form<never>])[] = [
  ...Object.entries({ floor: records.FLOOR, channel: records.CHANNEL, lease: records.LEASE }),
  ...Object.entries({ envelope: records.ENVELOPE, root: records.ROOT, beacon: records.BEACON }),
  ...Object.entries({ size: records.SIZE, format: records.FORMAT_RECORD, fleet: records.FLEET }),
  ...Object.entries({ mark: records.MARK, audit: records.AUDIT }),
] as never

/** Sealed, so that the form itself is reached; what it takes says the same once it is written again. */
function storeRecord(bytes: Uint8Array): void {
  let isTaken = false
  for (const [name, form] of FORMS) {
    const value = records.readRecord(form, name, seal(name, bytes), LIMITS)
    if (value === undefined) continue
    isTaken = true
    const again = records.readRecord(form, name, records.writeRecord(form, name, value), LIMITS)
    if (!isDeepStrictEqual(again, value)) throw new Error(`${name}: not the same once written`)
  }
  if (!isTaken) throw new MeshError('STORE_CORRUPT', 'a record of no form')
}

function counters(bytes: Uint8Array): void {
  file('key.counters.json', bytes)
  const memory = openMemory(join(folder, 'key'))
  for (const channel of memory.channels(ROOT.fleetId)) memory.counter(ROOT.fleetId, channel, 1)
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
  { name: 'envelope as JSON', run: (bytes) => decodeEnvelopeJson(textOf(bytes), LIMITS) },
  { name: 'JSON for people', run: (bytes) => parseJson(textOf(bytes), LIMITS, 'file') },
  ...SETTING_TARGETS,
  {
    name: 'signed heartbeat',
    run: (bytes) => checkHeartbeat(readHeartbeat(bytes, LIMITS), undefined, LIMITS),
    change: OWN,
  },
  { name: 'signed peer record', run: (bytes) => openPeerRecord(bytes, LIMITS), change: OWN },
  { name: 'chain', run: chain, samples: SELF.chain.slice(0, 1), change: signedBy(keyNamed('pool')) },
  { name: 'pool', run: chain, samples: SELF.chain.slice(1), change: signedBy(keyNamed('admission')) },
  { name: 'store record', run: storeRecord },
  { name: 'prepared release', run: (bytes) => readPrepared(file('prepared.json', bytes), LIMITS) },
  { name: 'memory of counters', run: counters },
  { name: 'URL of a channel', run: (bytes) => parseTarget(textOf(bytes)) },
  CAR_TARGET,
  ...HTTP_TARGETS,
  ...LEVEL_TARGETS,
]

export type Outcome = 'taken' | 'refused' | { readonly fault: string }

/** A fault is what is wrong with how the target took these bytes: neither taken, nor refused with a code. */
export async function outcomeOf({ run }: Target, bytes: Uint8Array): Promise<Outcome> {
  try {
    await run(bytes)
    return 'taken'
  } catch (error) {
    if (isMeshError(error) && error.code !== 'INTERNAL') return 'refused'
    return { fault: String((error as Error).stack ?? error) }
  }
}
