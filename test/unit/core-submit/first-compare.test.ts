/** A seed that has started with what it had stored: of a backup put back, that is older than what its fleet has. */
import { expect, test } from 'vitest'
import { Checks } from '../../../src/core/checks.ts'
import { Dispatcher, type Stages } from '../../../src/core/dispatcher.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { createFreshness } from '../../../src/core/freshness.ts'
import { createNode } from '../../../src/core/node.ts'
import type { Session } from '../../../src/core/session.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../../../src/core/snapshot.ts'
import { createSubmit } from '../../../src/core/submit.ts'
import { createSync } from '../../../src/core/sync.ts'
import type { Address, Pattern, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply, ShortDigest, SyncReply } from '../../../src/model/messages.ts'
import {
  CHANNEL,
  coreConfig,
  floorOf,
  make,
  NO_GATEWAYS,
  OTHER,
  PEER,
  ROOT,
  record,
  rootBytes,
  WALL_MS,
  withLimits,
} from '../core/fleet.ts'
import { NO_BEACONS } from '../core-peers/dialogue.ts'
import { ofKind, replies, SubmitNode, writes } from './submit-node.ts'

const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as Address]
const [before, next] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 } })]
const floors = [floorOf(before), floorOf(before)]
const submitted = { type: 'submit', envelope: next.envelope } as const
const peers = [new Uint8Array(1)]

/** @param start otherwise: it knows another seed and has a floor */
function starts(
  start: { readonly seeds?: readonly Address[]; readonly stored?: Partial<Snapshot> } = {},
): SubmitNode {
  const node = new SubmitNode(
    { seeds, ...(start.seeds && { seeds: start.seeds }) },
    start.stored ?? { floors },
  )
  node.compared = () => false
  return node
}

const early = (seconds: number, retryAfterMs: number) => ({
  type: 'refused',
  code: 'LIMIT_RATE',
  text: `this seed has just started and first compares what it has stored with its peers; it takes releases then, in ${seconds} s at the latest`,
  retryAfterMs,
})

test('A seed that had something stored takes nothing new before it has compared with a peer, and says when to come back', () => {
  const node = starts()
  const asked = node.ask(submitted)
  expect(asked.map(({ kind }) => kind)).toEqual(['reply', 'persist'])
  expect(replies(asked)).toEqual([early(10, 3_334)])
  expect(writes(asked)).toEqual(['audit'])
  node.monoMs += 9_500
  expect(replies(node.ask(submitted))).toEqual([early(1, 500)])
  expect(node.counted).toEqual(['LIMIT_RATE', 'LIMIT_RATE'])
  node.compared = (channel) => channel === CHANNEL
  expect(writes(node.ask(submitted))).toEqual(['lease!'])
})

test('Where it reaches nobody it goes by what it has, after the time of those without a floor', () => {
  const node = starts()
  node.monoMs += 9_999
  expect(replies(node.ask(submitted))).toEqual([early(1, 1)])
  node.monoMs += 1
  expect(writes(node.ask(submitted))).toEqual(['lease!'])
})

test('Whoever comes back as often as a publisher does gets in, however long that time is', () => {
  const limits = withLimits({ floorLostWaitMs: 61_000 })
  const node = new SubmitNode({ seeds, limits }, { floors })
  node.compared = () => false
  const waits: number[] = []
  while (waits.length < 10) {
    const [reply] = replies(node.ask(submitted))
    if (reply?.type !== 'refused') break
    waits.push(reply.retryAfterMs ?? 0)
    node.monoMs += reply.retryAfterMs ?? 0
  }
  // Of its six tries three are left.
  expect(waits).toEqual([20_334, 20_334, 20_332])
})

test.each([
  ['a seed of a new fleet, which has nothing stored', { stored: { peers } }],
  ['a seed that knows nobody, as the only one without a node', { seeds: [] }],
])('%s takes releases at once', (_, start) => {
  expect(writes(starts(start).ask(submitted))).toEqual(['lease!'])
})

test.each([
  ['a peer is remembered', { seeds: [], stored: { floors, peers } }],
  ['the floor is lost', { stored: { channels: [record([before.id])] as never } }],
  [
    'the record is, too',
    {
      stored: {
        envelopes: [{ release: before.id, channel: before.release.header.channel, bytes: before.envelope }],
      },
    },
  ],
])('It waits as well where %s', (_, start) => {
  expect(replies(starts(start).ask(submitted))).toEqual([early(10, 3_334)])
})

test('What is whole here is acknowledged meanwhile, and what would be refused anyhow is refused as such', () => {
  const channel = before.release.header.channel
  const node = starts({
    stored: {
      floors: [floorOf(next), floorOf(next)],
      envelopes: [{ release: next.id, channel, bytes: next.envelope }],
      whole: [next.id],
      channels: [record([next.id])] as never,
    },
  })
  expect(replies(node.ask(submitted))).toMatchObject([{ type: 'done', verdict: 'DUPLICATE' }])
  expect(replies(node.ask({ type: 'submit', envelope: before.envelope }))).toMatchObject([
    { type: 'refused', code: 'ORDER_STALE' },
  ])
  expect(replies(node.ask({ type: 'state', channel }))).toMatchObject([{ type: 'state', target: next.id }])
})

test('So it is in a whole node, for its own host, too', () => {
  const core = createNode(coreConfig({ seeds }))
  const now = { monoMs: 1_000, wallMs: WALL_MS }
  const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
  core.handle({ kind: 'started', snapshot: { ...EMPTY_SNAPSHOT, roots, floors } }, now)
  const address = `/ip4/127.0.0.1/tcp/1/p2p/${OTHER}` as Address
  core.handle({ kind: 'connected', peer: OTHER, direction: 'inbound', address, ownHost: true }, now)
  const request = { protocol: 'publish', message: submitted } as const
  const effects = core.handle({ kind: 'request', id: 1, peer: OTHER, request }, now)
  expect(replies(effects)).toEqual([early(10, 3_334)])
  expect(ofKind(effects, 'request')).toEqual([])
})

/** A seed with its real sync and submissions; whoever connects is admitted, and its patterns are the test's. */
function comparing() {
  const config = coreConfig({ seeds, submit: true, patterns: ['**' as Pattern] })
  const checks = new Checks(config.limits)
  const sync = createSync(config, NO_BEACONS)
  const sessions = new Map<PeerId, Session>()
  const patterns = new Map<PeerId, readonly string[]>()
  const admit: Stages['admit'] = {
    sessions: () => sessions.values(),
    session: (peer) => sessions.get(peer),
    onConnected: (step, _journey, { peer, direction, address, ownHost }) => {
      const hello = { type: 'hello', chain: [], patterns: patterns.get(peer), region: 'here', zone: 'a' }
      sessions.set(peer, { peer, direction, address, ownHost, sinceMonoMs: 0, hello } as unknown as Session)
      step.emit({ kind: 'admit', peer, region: 'here' })
    },
  }
  const submit = createSubmit(config, checks, (channel) => sync.isCompared(channel))
  const [peers, freshness] = [{ twin: () => undefined }, createFreshness(config)]
  const stages = { admit, peers, gateways: NO_GATEWAYS, freshness, sync, submit, bridge: {} }
  const core = new Dispatcher(config, stages, checks)
  const now = { monoMs: 1_000, wallMs: WALL_MS }
  const handle = (event: Event) => core.handle(event, now)
  const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
  handle({ kind: 'started', snapshot: { ...EMPTY_SNAPSHOT, roots, floors } })
  return {
    wait(ms: number): void {
      now.monoMs += ms
    },
    submits(): PublishReply[] {
      const request = { protocol: 'publish', message: submitted } as const
      return replies(handle({ kind: 'request', id: 1, peer: OTHER, request }))
    },
    /** It has something, and nothing that is news here. */
    compares(peer: PeerId, its: readonly string[]): void {
      patterns.set(peer, its)
      const address = `/ip4/10.0.0.2/tcp/1/p2p/${peer}` as Address
      const before = sync.comparedPeers()
      const answer = (effects: readonly Effect[], to: string, message: SyncReply) => {
        const asked = ofKind(effects, 'request').find(({ request }) => request.protocol === 'sync')
        expect(asked).toMatchObject({ peer, request: { message: { type: to } } })
        return handle({ kind: 'reply', id: asked?.id ?? 0, reply: { protocol: 'sync', message } })
      }
      const begun = handle({ kind: 'connected', peer, direction: 'outbound', address, ownHost: false })
      const digests = ['1'.repeat(16) as ShortDigest]
      const differ = { type: 'differ', root: 1, beacons: [], subs: 1, buckets: [0], digests } as const
      const listed = answer(begun, 'digests', differ)
      answer(listed, 'entries', { type: 'envelopes', envelopes: [], lacks: [], more: false })
      expect(sync.comparedPeers()).toBe(before + 1)
    },
  }
}

test.each([
  ['one that stores it is, too', ({ compares }: ReturnType<typeof comparing>) => compares(PEER, ['app/**'])],
  ['ten seconds have passed', ({ wait }: ReturnType<typeof comparing>) => wait(10_000)],
])(
  'Where a peer of other channels is compared with, that opens nothing for this one until %s',
  (_, happens) => {
    const seed = comparing()
    seed.compares(OTHER, ['other/**'])
    expect(seed.submits()).toEqual([early(10, 3_334)])
    happens(seed)
    expect(seed.submits()).toEqual([])
  },
)
