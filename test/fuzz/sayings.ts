/** What members of the fleet ask a core, and what an honest one answers it: each a message that can change something. */
import { sha256 } from '../../src/codec/digest.ts'
import { encodeControlGossip } from '../../src/codec/gossip.ts'
import type { Digest, Name, Pattern } from '../../src/model/ids.ts'
import type {
  AnyReply,
  AnyRequest,
  BridgeItem,
  Hello,
  Protocol,
  RequestOf,
  ShortDigest,
} from '../../src/model/messages.ts'
import {
  BEACONS,
  CONTENT,
  GOSSIP,
  MARKS,
  MEMBERS,
  type Member,
  RELEASES,
  ROOT_DIGESTS,
  ROOTS,
} from './fleet.ts'

const short = (at: number) => at.toString(16).padStart(16, '0') as ShortDigest
const SIXTY_FOUR = Array.from({ length: 64 }, (_, at) => at)
const ITEMS: readonly BridgeItem[] = [
  ...RELEASES.map(({ id }) => ({ topic: 'releases' as const, id: id as string as Digest })),
  ...GOSSIP.control.map((bytes) => ({ topic: 'control' as const, id: sha256(bytes) })),
].flatMap((item) => (['us', 'eu'] as Name[]).map((home) => ({ ...item, home })))
const BRIDGED = new Map<string, Uint8Array>([
  ...RELEASES.map(({ id }, at) => [id, GOSSIP.releases[at]] as [string, Uint8Array]),
  ...GOSSIP.control.map((bytes): [string, Uint8Array] => [sha256(bytes), bytes]),
])
const SUBS = 4

export const openOf = (version: number) => ({ version, digest: ROOT_DIGESTS[version - 1] as Digest })

export const helloOf = (by: Member, at: number): Hello => ({
  ...{ type: 'hello', chain: by.chain, patterns: ['**' as Pattern], region: by.region, zone: 'a' },
  ...{ submit: by.submit, heartbeats: [by.heartbeat(at)] },
})

const pagesOf = (made: (typeof RELEASES)[number]) =>
  made.header.pages.map((page) => made.content.get(page) as Uint8Array)

const ALWAYS: { readonly [P in Protocol]: readonly RequestOf[P][] } = {
  admit: [
    ...ROOTS.map((_, at) => ({ type: 'open', ...openOf(at + 1) }) as const),
    ...ROOTS.map((_, at) => ({ type: 'root', since: at + 1 }) as const),
    ...ROOTS.map((root) => ({ type: 'fork', root }) as const),
    { type: 'refuse', code: 'ADMIT_REFUSED', text: 'not you' },
  ],
  sync: [
    {
      ...{ type: 'digests', salt: new Uint8Array(16).fill(7), root: 1, beacons: MARKS.slice(0, 1) },
      ...{ digest: short(99), buckets: SIXTY_FOUR.map(short) },
    },
    { type: 'entries', subBuckets: SIXTY_FOUR, subs: 1, entries: [] },
    { type: 'entries', subBuckets: SIXTY_FOUR, subs: SUBS, entries: [] },
    ...RELEASES.map(({ envelope }) => ({ type: 'push', envelopes: [envelope] }) as const),
    { type: 'push', envelopes: RELEASES.map(({ envelope }) => envelope) },
    { type: 'peers', records: MEMBERS.map(({ record }) => record) },
    { type: 'beacons', have: [] },
    { type: 'beacons', have: MARKS.slice(1, 2) },
  ],
  blocks: [
    ...[...CONTENT.keys()].map((digest) => ({ type: 'want', digest }) as const),
    ...RELEASES.flatMap(({ id, header: { channel } }) =>
      (['have', 'holds'] as const).flatMap((type) => [
        { type, release: id, channel, whole: true },
        { type, release: id, channel, whole: false, bitmap: new Uint8Array([0b1010_0000]) },
      ]),
    ),
  ],
  publish: [
    ...ROOTS.flatMap((root, since) => [{ type: 'roots', since } as const, { type: 'root', root } as const]),
    { type: 'channels' },
    ...RELEASES.flatMap(({ id: release, envelope, header: { channel } }): RequestOf['publish'][] => [
      ...([
        { type: 'state', channel },
        { type: 'channels', after: channel },
      ] as const),
      ...(['header', 'free', 'await'] as const).map((type) => ({ type, release })),
      ...(['lease', 'submit', 'submit'] as const).map((type) => ({ type, envelope })),
    ]),
    ...RELEASES.flatMap((made): RequestOf['publish'][] => [
      ...pagesOf(made).map((bytes) => ({ type: 'page', release: made.id, bytes }) as const),
      ...[...made.content.values()].map((bytes) => ({ type: 'block', release: made.id, bytes }) as const),
    ]),
  ],
  bridge: [
    ...ITEMS.flatMap((item): RequestOf['bridge'][] => [
      ...([
        { type: 'announce', item },
        { type: 'claim', item },
        { type: 'pull', item },
      ] as const),
      { type: 'announce', item, bytes: BRIDGED.get(item.id) as Uint8Array },
    ]),
    ...RELEASES.map((made, at) => {
      return { type: 'announce', item: ITEMS[2 * at] as BridgeItem, pages: pagesOf(made) } as const
    }),
    { type: 'have', items: ITEMS },
  ],
}

const comparison = ALWAYS.sync.flatMap((message) =>
  message.type === 'digests' || message.type === 'entries' ? [{ protocol: 'sync', message } as const] : [],
)
const pulls = ALWAYS.bridge.flatMap((message) =>
  message.type === 'pull' && message.item.topic === 'releases'
    ? [{ protocol: 'bridge', message } as const]
    : [],
)
const wants = ALWAYS.blocks.flatMap((message) =>
  message.type === 'want' ? [{ protocol: 'blocks', message } as const] : [],
)

/** A release as a publisher brings it. */
function upload(made: (typeof RELEASES)[number]): readonly AnyRequest[] {
  const { id: release, envelope, content, header } = made
  const blocks = [...content].filter(([digest]) => !header.pages.includes(digest))
  const messages: RequestOf['publish'][] = [
    { type: 'submit', envelope },
    ...pagesOf(made).map((bytes) => ({ type: 'page', release, bytes }) as const),
    ...blocks.map(([, bytes]) => ({ type: 'block', release, bytes }) as const),
    { type: 'await', release },
  ]
  return messages.map((message) => ({ protocol: 'publish', message }) as const)
}

/** What leads to something where it is said in turn. */
export const TALKS = { comparison: [comparison], uploads: RELEASES.map(upload), asking: [pulls, wants] }

/** Of one protocol, as this member says them at this time. */
export function requestsOf(protocol: Protocol, by: Member, at: number): readonly AnyRequest['message'][] {
  if (protocol === 'admit') return [...ALWAYS.admit, helloOf(by, at)]
  if (protocol !== 'bridge') return ALWAYS[protocol]
  const heartbeats = [by.heartbeat(at)]
  return [
    ...ALWAYS.bridge,
    ...[true, false].map((want) => ({ type: 'heartbeats', heartbeats, want }) as const),
  ]
}

export const controlOf = (by: Member, at: number): readonly Uint8Array[] => [
  ...GOSSIP.control,
  encodeControlGossip({ kind: 'heartbeat', envelope: by.heartbeat(at) }),
]

/** What a member that has everything answers, but for roots beyond this version. */
export function honest(
  { protocol, message }: AnyRequest,
  by: Member,
  at: number,
  version: number,
): AnyReply['message'] {
  switch (message.type) {
    case 'open':
      return { type: 'opened', ...openOf(version) }
    case 'hello':
      return helloOf(by, at)
    case 'root': {
      const root = 'since' in message ? ROOTS.slice(0, version)[message.since] : undefined
      return root === undefined ? { type: 'root' } : { type: 'root', root }
    }
    case 'digests':
      return {
        ...{ type: 'differ', root: version, beacons: MARKS, subs: SUBS, buckets: SIXTY_FOUR },
        digests: Array.from({ length: SUBS * SIXTY_FOUR.length }, (_, one) => short(one)),
      }
    case 'entries': {
      const envelopes = RELEASES.map(({ envelope }) => envelope)
      return {
        type: 'envelopes',
        envelopes,
        lacks: message.entries.map(({ channel }) => channel),
        more: false,
      }
    }
    case 'peers':
      return { type: 'peers', records: MEMBERS.map(({ record }) => record) }
    case 'beacons':
      return { type: 'beacons', beacons: BEACONS }
    case 'want': {
      const bytes = CONTENT.get(message.digest)
      return bytes === undefined ? { type: 'gone' } : { type: 'block', bytes }
    }
    case 'have':
      return protocol === 'blocks' ? { type: 'noted', whole: true } : { type: 'noted' }
    case 'await':
      return { type: 'done', verdict: 'NEW', acknowledgedBy: [by.id] }
    case 'pull': {
      const bytes = BRIDGED.get(message.item.id)
      return bytes === undefined ? { type: 'gone' } : { type: 'item', bytes }
    }
    case 'heartbeats':
      return { type: 'heartbeats', heartbeats: [by.heartbeat(at)] }
    default:
      return { type: 'noted' }
  }
}
