/** One message of each type, and each in its shortest form where fields are optional. */
import type { PeerId } from '../../../src/model/ids.ts'
import type {
  AdmitReply,
  AdmitRequest,
  BlocksReply,
  BlocksRequest,
  BridgeItem,
  BridgeReply,
  BridgeRequest,
  PublishReply,
  PublishRequest,
  Refused,
  ShortDigest,
  ShortHash,
  SyncReply,
  SyncRequest,
} from '../../../src/model/messages.ts'
import { parseAddress, parseName, parsePattern } from '../../../src/model/names.ts'
import { alice, channel, digestOf, keyOne, peer, releaseOf, utf8 } from './samples.ts'

const envelope = utf8('an envelope')
const release = releaseOf('r')
const short = (text: string) => digestOf(text).slice(0, 16) as ShortDigest
const hash = (text: string) => digestOf(text).slice(0, 16) as string as ShortHash
const beacons = [{ key: keyOne.id, at: 1_767_225_600_123 }]
const sixtyFour = Array.from({ length: 64 }, (_, at) => short(`${at}`))

const item: BridgeItem = { topic: 'releases', id: digestOf('r'), home: parseName('eu') }

const refused: readonly Refused[] = [
  { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'taken; count on', retryAfterMs: 1_000, envelope },
  { type: 'refused', code: 'LIMIT_RATE', text: 'slower' },
]

const hello = {
  type: 'hello' as const,
  chain: [envelope],
  patterns: [parsePattern('**')],
  region: 'eu-west',
  zone: '',
  submit: true,
  heartbeats: [envelope],
}

export const requests: {
  admit: readonly AdmitRequest[]
  sync: readonly SyncRequest[]
  blocks: readonly BlocksRequest[]
  publish: readonly PublishRequest[]
  bridge: readonly BridgeRequest[]
} = {
  admit: [
    { type: 'open', version: 3, digest: digestOf('root') },
    { type: 'root', since: 2 },
    { type: 'firstRoot' },
    { type: 'fork', root: envelope },
    hello,
  ],
  sync: [
    {
      type: 'digests',
      salt: new Uint8Array(16).fill(7),
      root: 3,
      beacons,
      digest: short('all'),
      buckets: sixtyFour,
    },
    {
      type: 'entries',
      subBuckets: [0, 63],
      subs: 16,
      entries: [{ channel: hash('c'), entry: short('e') }],
    },
    { type: 'push', envelopes: [envelope] },
    { type: 'peers', records: [envelope] },
    { type: 'beacons', have: beacons },
  ],
  blocks: [
    { type: 'want', digest: digestOf('b') },
    { type: 'want', digest: digestOf('b'), failed: true },
    { type: 'have', release, channel, whole: true },
    { type: 'have', release, channel, whole: false, bitmap: new Uint8Array([0b1010_0000]) },
  ],
  publish: [
    { type: 'roots', since: 0 },
    { type: 'state', channel },
    { type: 'channels' },
    { type: 'channels', after: channel },
    { type: 'header', release },
    { type: 'root', root: envelope },
    { type: 'lease', envelope },
    { type: 'free', release },
    { type: 'submit', envelope },
    { type: 'page', release, bytes: envelope },
    { type: 'block', release, bytes: new Uint8Array(256 * 1024) },
    { type: 'await', release },
  ],
  bridge: [
    { type: 'announce', item, bytes: envelope },
    { type: 'announce', item },
    { type: 'announce', item, pages: [envelope, envelope] },
    { type: 'claim', item },
    { type: 'claim', item, pages: [envelope] },
    { type: 'pull', item: { ...item, topic: 'control' } },
    { type: 'have', items: [item, item] },
    { type: 'heartbeats', heartbeats: [envelope], want: true },
  ],
}

export const replies: {
  admit: readonly AdmitReply[]
  sync: readonly SyncReply[]
  blocks: readonly BlocksReply[]
  publish: readonly PublishReply[]
  bridge: readonly BridgeReply[]
} = {
  admit: [
    { type: 'opened', version: 3, digest: digestOf('root') },
    { type: 'root', root: envelope },
    { type: 'root' },
    { type: 'noted' },
    hello,
    ...refused,
  ],
  sync: [
    { type: 'differ', root: 3, beacons, subs: 1, buckets: [0, 63], digests: [short('a'), short('b')] },
    { type: 'envelopes', envelopes: [envelope], lacks: [hash('c')], more: true },
    { type: 'noted' },
    { type: 'peers', records: [] },
    { type: 'beacons', beacons: [envelope] },
    ...refused,
  ],
  blocks: [
    { type: 'block', bytes: new Uint8Array(256 * 1024) },
    { type: 'gone' },
    { type: 'busy', retryAfterMs: 10 },
    { type: 'redirect', peer, addresses: [parseAddress(`/ip4/1.2.3.4/tcp/1/p2p/${peer}`)] },
    { type: 'noted' },
    ...refused,
  ],
  publish: [
    { type: 'root', root: envelope },
    { type: 'root' },
    { type: 'root', at: 1_700_000_000_000 },
    {
      type: 'state',
      rootVersion: 3,
      top: { epoch: 3, counter: 7, publisher: alice },
      held: false,
      envelopes: [envelope],
      target: release,
      whole: true,
    },
    {
      type: 'state',
      rootVersion: 1,
      top: { epoch: 1, counter: 0, publisher: '' },
      held: false,
      envelopes: [],
      whole: false,
    },
    { type: 'header', envelope },
    { type: 'header' },
    { type: 'channels', channels: [channel], more: true },
    { type: 'noted' },
    { type: 'need', pages: [digestOf('p')], blocks: new Array(1024).fill(digestOf('b')) },
    { type: 'done', verdict: 'NEW', acknowledgedBy: [peer as PeerId] },
    ...refused,
  ],
  bridge: [
    { type: 'noted' },
    { type: 'item', bytes: new Uint8Array(64 * 1024) },
    { type: 'gone' },
    { type: 'heartbeats', heartbeats: [envelope] },
    ...refused,
  ],
}
