/** What another seed names with `await`, and what comes from elsewhere while it is uploaded here. */
import { describe, expect, test } from 'vitest'
import type { CoreConfig } from '../../../src/core/config.ts'
import type { Snapshot } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import { CHANNEL, floorOf, gossip, make, PEER, record, SELF } from '../core/fleet.ts'
import { replies, requests, SubmitNode, TOOL, writes } from './submit-node.ts'

/** Of two at once, the one that is not the target: nobody fetches it of his own accord. */
const [beside, target] = [
  make({ clock: { alice: 1 } }),
  make({ clock: { bob: 1 }, publisher: 'bob', text: 'b' }),
]
const refused = {
  type: 'refused',
  code: 'FETCH_UNAVAILABLE',
  text: 'this release was not submitted here; submit it first',
}

function knowing(change: Partial<CoreConfig>, snapshot: Partial<Snapshot> = {}): SubmitNode {
  const node = new SubmitNode(change, snapshot)
  node.connect(PEER, { seed: true })
  for (const made of [target, beside]) node.settled(node.handle(gossip(made)))
  return node
}
const named = (node: SubmitNode) => node.ask({ type: 'await', release: beside.id }, PEER)

describe('A release that a neighbour names with `await`', () => {
  test('is fetched by a seed that stores its channel, and awaited', () => {
    const effects = named(knowing({}))
    const message = { type: 'want', digest: beside.release.header.pages[0] }
    expect(effects).toMatchObject([{ kind: 'request', peer: PEER, request: { protocol: 'blocks', message } }])
  })

  test('is fetched by no other node: it is no second holder', () => {
    const effects = named(knowing({ submit: false }))
    expect(effects.map(({ kind }) => kind)).toEqual(['reply'])
    expect(replies(effects)).toEqual([refused])
  })

  test.each(['STORE_FULL', 'STORE_FAILED'] as const)(
    'is refused by a seed whose disk takes nothing (%s), so that another seed is asked, and awaited once it does',
    (code) => {
      const node = knowing({})
      node.settled(node.handle({ kind: 'storeMode', readOnly: true, code }))
      const effects = named(node)
      expect(effects.map(({ kind }) => kind)).toEqual(['reply'])
      expect(replies(effects)).toMatchObject([{ type: 'refused', code }])
      expect(node.notes.at(-1)).toMatchObject({ code, peer: PEER })
      node.settled(node.handle({ kind: 'storeMode', readOnly: false }))
      expect(replies(named(node))).toEqual([])
    },
  )

  test('is refused by a seed whose disk takes no blocks, unless it may come whole with its announcement', () => {
    const node = knowing({})
    node.settled(node.handle({ kind: 'storeMode', readOnly: false, short: true }))
    expect(replies(named(node))).toMatchObject([{ type: 'refused', code: 'STORE_FULL' }])
    const unknown = { type: 'await', release: 'f'.repeat(64) as ReleaseId } as const
    expect(replies(node.ask(unknown, PEER))).toEqual([])
  })

  test('is not fetched where its channel is stored no longer, so that another seed is asked', () => {
    const floors = [floorOf(target)]
    const channels = [record([beside.id, target.id])] as never
    const envelopes = [beside, target].map(({ id, envelope }) => ({
      release: id,
      channel: CHANNEL,
      bytes: envelope,
    }))
    const patterns = ['app/other' as Pattern]
    const effects = named(knowing({ patterns }, { floors, channels, envelopes }))
    expect(effects.map(({ kind }) => kind)).toEqual(['reply'])
    expect(replies(effects)).toEqual([refused])
  })
})

describe('An upload of what came whole from elsewhere', () => {
  const made = make({ clock: { alice: 1 }, also: 'second' })
  const ask = (node: SubmitNode, peer = TOOL) => node.ask({ type: 'await', release: made.id }, peer)
  const done = { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [SELF] }
  const nothing = { type: 'need', pages: [], blocks: [] }
  /** All of it by gossip, and on disk. */
  const whole = (node: SubmitNode) => {
    const effects = node.handle(gossip(made, [...made.content.values()]))
    expect(writes(effects).filter((kinds) => kinds.endsWith('whole!'))).toHaveLength(1)
    return node.persist(effects)
  }

  test('is done, also where its publisher has left: whoever awaits it hears so, and its lease ends', () => {
    const node = new SubmitNode()
    node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
    node.connect(PEER, { seed: true })
    node.ask({ type: 'page', release: made.id, bytes: made.page })
    expect(ask(node, PEER)).toEqual([])
    const effects = whole(node).filter(({ kind }) => kind !== 'publish')
    expect(replies(effects)).toEqual([done])
    expect(writes(effects)).toEqual(['dropLease', 'audit'])
    expect(requests(effects)).toEqual([])
    expect(node.counted).toEqual(['DUPLICATE'])
    expect(replies(ask(node, PEER))).toEqual([done])
    expect(replies(node.tick(LIMITS.leaseMs))).toEqual([])
  })

  test('needs nothing more of a publisher that is still at it', () => {
    const node = new SubmitNode()
    node.connect(PEER, { seed: true })
    expect(requests(node.ask({ type: 'submit', envelope: made.envelope }))).toEqual(['lease peer'])
    expect(replies(whole(node))).toEqual([nothing])
    expect(replies(node.ask({ type: 'block', release: made.id, bytes: made.block }))).toEqual([nothing])
    expect(replies(ask(node))).toEqual([done])
  })
})

test('Of two seeds that both have it whole and ask each other, the one that is asked says so at once, and still waits', () => {
  const made = make({ clock: { alice: 1 } })
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const ask = (peer: PeerId) => replies(node.ask({ type: 'await', release: made.id }, peer))
  const [lease] = node.ask({ type: 'submit', envelope: made.envelope })
  node.settled(node.answer(lease, { type: 'noted' }))
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  const last = node.ask({ type: 'block', release: made.id, bytes: made.block })
  // Not on disk yet.
  expect(ask(PEER)).toEqual([])
  const here = { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [SELF] } as const
  const durable = node.persist(last)
  expect(replies(durable)).toContainEqual(here)
  const [own] = durable.filter(({ kind }) => kind === 'request')
  expect(own).toMatchObject({ peer: PEER, request: { message: { type: 'await', release: made.id } } })
  expect(ask(PEER)).toEqual([here])
  expect(ask(TOOL)).toEqual([])
  const both = { type: 'done', verdict: 'NEW', acknowledgedBy: [PEER, SELF] } as const
  expect(replies(node.answer(own, { ...both, acknowledgedBy: [PEER] }))).toEqual([both])
})
