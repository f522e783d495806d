/** Everything that reads bytes of others. Each takes any bytes, and refuses with one of our codes what it does not take. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parseTarget } from '../../src/api/target.ts'
import { decodeBeacon, decodeBeaconPage } from '../../src/codec/beacon.ts'
import { decodeStrict } from '../../src/codec/cbor.ts'
import { decodeCertificate } from '../../src/codec/certificate.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
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
import { loadConfig } from '../../src/daemon/config.ts'
import { isMeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import { parseAddress, parseChannel, parsePattern } from '../../src/model/names.ts'
import { openCar } from '../../src/publish/car.ts'
import { openMemory } from '../../src/publish/counter.ts'
import { readPrepared } from '../../src/publish/prepared.ts'
import { seal } from '../../src/store/checksum.ts'
import * as records from '../../src/store/records.ts'
import { readChain } from '../../src/trust/certificates.ts'
import { checkHeartbeat, readHeartbeat } from '../../src/trust/heartbeat.ts'
import { openPeerRecord } from '../../src/trust/peer-record.ts'
import { ROOTS, SELF } from './fleet.ts'

export interface Target {
  readonly name: string
  readonly run: (bytes: Uint8Array) => unknown
}

const ROOT = decodeRoot(decodeEnvelope(ROOTS[0] as Uint8Array, LIMITS.maxRootBytes, LIMITS).payload, LIMITS)

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

/** As a node's certificate, and as that of the pool which signed one: the first refusal must not hide the second. */
function chain(bytes: Uint8Array): void {
  const [node, pool] = SELF.chain as [Uint8Array, Uint8Array]
  let refused: unknown
  for (const links of [[bytes], [bytes, pool], [node, bytes]])
    try {
      readChain(links, ROOT, LIMITS)
    } catch (error) {
      if (!isMeshError(error)) throw error
      refused = error
    }
  if (refused !== undefined) throw refused
}

const FORMS: readonly (readonly [name: string, form: Form<never>])[] = [
  ...Object.entries({ floor: records.FLOOR, channel: records.CHANNEL, lease: records.LEASE }),
  ...Object.entries({ envelope: records.ENVELOPE, root: records.ROOT, beacon: records.BEACON }),
  ...Object.entries({ size: records.SIZE, format: records.FORMAT_RECORD, fleet: records.FLEET }),
  ...Object.entries({ mark: records.MARK, audit: records.AUDIT }),
] as never

/** Sealed, so that the form itself is reached; what it takes says the same once it is written again. */
function storeRecord(bytes: Uint8Array): void {
  for (const [name, form] of FORMS) {
    const value = records.readRecord(form, name, seal(name, bytes), LIMITS)
    if (value === undefined) continue
    const again = records.readRecord(form, name, records.writeRecord(form, name, value), LIMITS)
    if (!isDeepStrictEqual(again, value)) throw new Error(`${name}: not the same once written`)
  }
}

function counters(bytes: Uint8Array): void {
  file('key.counters.json', bytes)
  const memory = openMemory(join(scratch, 'key'))
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
  { name: 'envelope as JSON', run: (bytes) => decodeEnvelopeJson(text(bytes), LIMITS) },
  { name: 'JSON for people', run: (bytes) => parseJson(text(bytes), LIMITS, 'file') },
  { name: 'channel', run: (bytes) => parseChannel(text(bytes)) },
  { name: 'pattern', run: (bytes) => parsePattern(text(bytes)) },
  { name: 'address', run: (bytes) => parseAddress(text(bytes)) },
  { name: 'configuration', run: (bytes) => loadConfig(file('node.yaml', bytes), {}, new Map()) },
  {
    name: 'signed heartbeat',
    run: (bytes) => checkHeartbeat(readHeartbeat(bytes, LIMITS), undefined, LIMITS),
  },
  { name: 'signed peer record', run: (bytes) => openPeerRecord(bytes, LIMITS) },
  { name: 'chain', run: chain },
  { name: 'store record', run: storeRecord },
  { name: 'prepared release', run: (bytes) => readPrepared(file('prepared.json', bytes), LIMITS) },
  { name: 'memory of counters', run: counters },
  { name: 'URL of a channel', run: (bytes) => parseTarget(text(bytes)) },
  { name: 'CAR', run: (bytes) => openCar(file('release.car', bytes), LIMITS) },
]

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
