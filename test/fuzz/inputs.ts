/** What bytes are broken from: the recorded documents, one message of each type, a fleet's own, and small texts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encode } from '../../src/codec/cbor.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeReply, encodeRequest } from '../../src/codec/messages.ts'
import { LIMITS } from '../../src/limits.ts'
import { encodePrepared } from '../../src/publish/prepared.ts'
import { EPOCH_MS } from '../../src/sim/time.ts'
import { CHANNEL, FLOOR, LEASE } from '../../src/store/records.ts'
import { replies, requests } from '../unit/codec/message-samples.ts'
import { RELEASES, SELF } from './fleet.ts'
import { PROTOCOLS } from './targets.ts'

const CONFIG = `root: root.json
data: data
listen: ["/ip4/127.0.0.1/tcp/0"]
labels: { region: eu }
channels: ["pay/*"]
api: { listen: "127.0.0.1:0", hosts: [a] }
limits: { maxChannels: 10 }
materialize: { dir: out }
hooks: [{ channels: ["**"], command: ["true"], timeoutMs: 5 }]
`

const [made] = RELEASES as readonly [(typeof RELEASES)[0]]
const { id: release, header, envelope } = made
const { fleet, channel, publisher } = header
const place = { epoch: 1, counter: 7, publisher }
const active = { release, epoch: 1, activatedAt: EPOCH_MS, soaked: true }

const SIGNED = [...SELF.chain, SELF.record, SELF.heartbeat(EPOCH_MS)]
const RECORDS = [
  FLOOR.write({ fleet, channel, top: place, ids: [release] }),
  LEASE.write({ channel, place, release, envelope, holder: SELF.id }),
  CHANNEL.write({
    ...{ channel, heads: [release], active, lastGood: release, lastGoodEpoch: 1, failed: [] },
    history: [{ release, activatedAt: EPOCH_MS }],
  }),
].map(encode)
const COUNTERS = {
  version: 1,
  fleets: { [fleet]: { [channel]: { epoch: 1, counter: 7, releases: [release] } } },
}
/** A stack ends sooner. */
const DEEP = 20_000
const TEXTS = [
  `{"version":1,"envelope":{"payload":${'['.repeat(DEEP)}${']'.repeat(DEEP)}},"paths":[]}`,
  ...[CONFIG, JSON.stringify(COUNTERS)],
  encodePrepared({ envelope: decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS), paths: ['conf'] }),
  ...['/v1/channels/app%2Fweb', 'http://127.0.0.1/v1/channels/app%2Fweb/files/a/b.conf?wait=1'],
  ...['payments/prod', 'pay/**', '/ip4/127.0.0.1/tcp/7400/p2p/12D3KooW', '{"a":[1,2]}'],
].map((text) => new Uint8Array(Buffer.from(text)))

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
  return [...golden, ...messages, ...found, ...SIGNED, ...RECORDS, ...TEXTS]
}
