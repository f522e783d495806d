/** What bytes are broken from: the recorded documents, one message of each type, a fleet's own, and small texts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomOf } from '../../scripts/chaos/random.ts'
import { encode } from '../../src/codec/cbor.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeReply, encodeRequest } from '../../src/codec/messages.ts'
import { LIMITS } from '../../src/limits.ts'
import { encodePrepared } from '../../src/publish/prepared.ts'
import { EPOCH_MS } from '../../src/sim/time.ts'
import {
  AUDIT,
  BEACON,
  CHANNEL,
  ENVELOPE,
  FLEET,
  FLOOR,
  LEASE,
  MARK,
  ROOT,
  SIZE,
} from '../../src/store/records.ts'
import { replies, requests } from '../unit/codec/message-samples.ts'
import { bytesOf, changed } from './change.ts'
import { RELEASES, SELF } from './fleet.ts'
import { mutator } from './mutate.ts'
import { outcomeOf, PROTOCOLS, type Target } from './targets.ts'

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
  ENVELOPE.write({ channel, number: 1, bytes: envelope }),
  ROOT.write({ version: 1, envelope }),
  BEACON.write({ at: EPOCH_MS, envelope }),
  AUDIT.write({ peer: SELF.id, release, channel, answer: 'noted' }),
  ...[
    SIZE.write({ bytes: 1_000, number: undefined }),
    SIZE.write({ bytes: 1_000, number: 7 }),
    FLEET.write(fleet),
    MARK.write(true),
  ],
].map(encode)
const COUNTERS = {
  version: 1,
  fleets: { [fleet]: { [channel]: { epoch: 1, counter: 7, releases: [release] } } },
}
/** A stack ends sooner. */
const DEEP = 20_000
const TEXTS = [
  `{"version":1,"envelope":{"payload":${'['.repeat(DEEP)}${']'.repeat(DEEP)}},"paths":[]}`,
  JSON.stringify(COUNTERS),
  encodePrepared({ envelope: decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS), paths: ['conf'] }),
  ...['/v1/channels/app%2Fweb', 'http://127.0.0.1/v1/channels/app%2Fweb/files/a/b.conf?wait=1'],
  ...['payments/prod', 'pay/**', '/ip4/127.0.0.1/tcp/7400/p2p/12D3KooW', '{"a":[1,2]}'],
].map(bytesOf)

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

const ALL = corpus()

/** What is right for this target, to begin with. */
export async function samplesOf(target: Target): Promise<readonly Uint8Array[]> {
  if (target.samples !== undefined) return target.samples
  const taken: Uint8Array[] = []
  for (const bytes of ALL) if ((await outcomeOf(target, bytes)) === 'taken') taken.push(bytes)
  return taken
}

export interface Input {
  readonly bytes: Uint8Array
  /** Of the right form all the same. */
  readonly isFormed: boolean
}

/** Half of them what is right with something in it changed, the rest its bytes broken, and now and then anybody's. */
export function inputsNear(target: Target, samples: readonly Uint8Array[], seed: number): () => Input {
  const random = randomOf(seed)
  const broken = mutator(seed, samples)
  const any = mutator(seed, ALL)
  const change = target.change ?? changed
  return () => {
    const chance = random()
    if (chance < 0.5) return { bytes: change(random, samples), isFormed: true }
    return { bytes: chance < 0.9 ? broken() : any(), isFormed: false }
  }
}
