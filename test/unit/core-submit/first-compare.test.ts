/** A seed that has started with what it had stored: of a backup put back, that is older than what its fleet has. */
import { expect, test } from 'vitest'
import { createNode } from '../../../src/core/node.ts'
import { EMPTY_SNAPSHOT, type Snapshot } from '../../../src/core/snapshot.ts'
import type { Address } from '../../../src/model/ids.ts'
import {
  coreConfig,
  floorOf,
  make,
  OTHER,
  ROOT,
  record,
  rootBytes,
  WALL_MS,
  withLimits,
} from '../core/fleet.ts'
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
  node.compared = 0
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
  node.compared = 1
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
  node.compared = 0
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
