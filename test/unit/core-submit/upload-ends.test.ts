/** For how long an upload goes on, and what the cache keeps for it. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { ABANDONED_MS } from '../../../src/core/submit/uploads.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, PeerId } from '../../../src/model/ids.ts'
import { type Made, make, withLimits } from '../core/fleet.ts'
import { refusal, replies, SubmitNode, writes } from './submit-node.ts'

test('An upload that is submitted again goes on for another lease where something has come since, and ends where nothing has', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  const again = () => refusal(node.ask({ type: 'submit', envelope: made.envelope }))
  node.tick(LIMITS.leaseMs - 1)
  expect(again()).toBe('need')
  node.tick(LIMITS.leaseMs - 1)
  expect(again()).toBe('need')
  node.tick(1)
  expect(refusal(node.ask({ type: 'block', release: made.id, bytes: made.block }))).not.toBe('no reply')
  expect(node.named()).toEqual([])
})

test('What the uploads under way name is what collection spares, until they end', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  expect(node.named()).toEqual([sha256(made.page)])
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  expect(node.named()).toEqual([sha256(made.page), sha256(made.block)])
  node.tick(LIMITS.leaseMs)
  expect(node.named()).toEqual([])
})

const one = make({ clock: { alice: 1 } })
const two = make({ clock: { alice: 2 } })
const bobs = make({ clock: { bob: 1 }, publisher: 'bob' })
const elsewhere = make({ clock: { alice: 1 }, header: { channel: 'app/api' as Channel } })

/** A seed with so many places, at which each run of `publish` is a peer of its own. */
function runs(places: { readonly maxUploads: number } | { readonly maxUploadsPerAddress: number }) {
  const node = new SubmitNode({ limits: withLimits(places) })
  let count = 0
  const begin = (made: Made, host = '10.0.0.1') => {
    const run = `12D3KooWrun${++count}` as PeerId
    node.connect(run, { host })
    const effects = node.settled(node.ask({ type: 'submit', envelope: made.envelope }, run))
    return { run, effects, answer: refusal(effects) }
  }
  return { node, begin, killed: (made: Made, host?: string) => node.disconnect(begin(made, host).run) }
}

test('Where there is no place an upload gives its own up once nothing has come for long from a publisher that is gone', () => {
  const { node, begin, killed } = runs({ maxUploadsPerAddress: 2 })
  killed(bobs)
  node.monoMs += 1
  killed(one)
  node.monoMs += ABANDONED_MS - 2
  expect(begin(two).answer).toBe('LIMIT_RATE')
  node.monoMs += 2
  node.counted.length = 0
  // What it replaces first, though the other has had nothing for longer.
  const next = begin(two)
  expect(writes(next.effects)).toEqual(['dropLease', 'audit', 'lease!'])
  expect(replies(next.effects)).toEqual([{ type: 'need', pages: two.release.header.pages, blocks: [] }])
  expect(node.counted).toEqual(['LIMIT_TIMEOUT'])
  expect(node.said.filter((line) => line.endsWith('LIMIT_TIMEOUT'))).toEqual([
    'submissions LIMIT_TIMEOUT',
    'info LIMIT_TIMEOUT',
  ])
  expect(refusal(node.ask({ type: 'page', release: one.id, bytes: one.page }))).toBe('ORDER_PLACE_TAKEN')
  // Its blocks are nobody's, though there are as many uploads as before.
  expect(node.collections).toBe(0)
  node.tick(30_000)
  expect(node.collections).toBe(1)
})

test('But not while its publisher is here, or has come back as another peer, and then what has had nothing for longest', () => {
  const { node, begin, killed } = runs({ maxUploadsPerAddress: 2 })
  begin(one)
  killed(bobs)
  node.monoMs += ABANDONED_MS
  const again = begin(bobs)
  expect(again.answer).toBe('need')
  expect(begin(elsewhere).answer).toBe('LIMIT_RATE')
  node.disconnect(again.run)
  expect(begin(elsewhere).answer).toBe('need')
  expect(refusal(node.ask({ type: 'page', release: one.id, bytes: one.page }))).toBe('need')
})

test('Nor while one of two that bring it is here and goes on', () => {
  const { node, begin, killed } = runs({ maxUploadsPerAddress: 1 })
  const { run } = begin(one)
  killed(one)
  node.ask({ type: 'page', release: one.id, bytes: one.page }, run)
  node.monoMs += ABANDONED_MS
  expect(begin(two).answer).toBe('LIMIT_RATE')
})

test('Nor one of another address, unless there are as many as there may be in all', () => {
  for (const [places, answer] of [
    [{ maxUploadsPerAddress: 1 }, 'LIMIT_RATE'],
    [{ maxUploads: 2 }, 'need'],
  ] as const) {
    const { node, begin, killed } = runs(places)
    killed(one, '10.0.0.2')
    begin(bobs)
    node.monoMs += ABANDONED_MS
    expect(begin(elsewhere).answer).toBe(answer)
  }
})

test('Nor one that has all of it, and waits for this seed itself', () => {
  const { node, begin } = runs({ maxUploadsPerAddress: 1 })
  const { run } = begin(one)
  const paged = node.ask({ type: 'page', release: one.id, bytes: one.page }, run)
  expect(refusal(paged)).toBe('need')
  const last = node.ask({ type: 'block', release: one.id, bytes: one.block }, run)
  node.disconnect(run)
  node.monoMs += ABANDONED_MS
  expect(begin(two).answer).toBe('LIMIT_RATE')
  node.persist(last)
  expect(node.view().channels[0]?.target).toBe(one.id)
})

test('What has come of it is not brought again', () => {
  const { node, begin } = runs({ maxUploadsPerAddress: 1 })
  const large = make({ clock: { alice: 1 }, text: 'x'.repeat(LIMITS.maxInlineBytes), also: 'y' })
  const { run } = begin(large)
  const [read] = node
    .settled(node.ask({ type: 'page', release: large.id, bytes: large.page }, run))
    .flatMap((effect) => (effect.kind === 'read' ? [effect.digest] : []))
  if (read === undefined) throw new Error('the page was not read')
  node.handle({ kind: 'blockRead', digest: read, bytes: large.page })
  node.settled(node.ask({ type: 'block', release: large.id, bytes: large.block }, run))
  node.disconnect(run)
  node.monoMs += ABANDONED_MS
  const other = begin(bobs)
  expect(other.answer).toBe('need')
  node.disconnect(other.run)
  node.monoMs += ABANDONED_MS
  const again = begin(large)
  // The page is here, so it is read at once.
  expect(again.effects.filter(({ kind }) => kind === 'read')).toEqual([{ kind: 'read', digest: read }])
  const asked = node.handle({ kind: 'blockRead', digest: read, bytes: large.page })
  const lacking = sha256(new TextEncoder().encode('y'))
  expect(replies(asked)).toEqual([{ type: 'need', pages: [], blocks: [lacking] }])
})
