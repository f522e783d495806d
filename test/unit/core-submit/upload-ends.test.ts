/** For how long an upload goes on, and what the cache keeps for it. */
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { ABANDONED_MS, overShareOf } from '../../../src/core/submit/gives-way.ts'
import type { Upload } from '../../../src/core/submit/upload.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern, PeerId } from '../../../src/model/ids.ts'
import { raiseEpoch } from '../../../src/trust/edit.ts'
import { CHANNEL, type Made, make, PEER, ROOT, rootBytes, SELF, withLimits } from '../core/fleet.ts'
import { refusal, replies, requests, SubmitNode, writes } from './submit-node.ts'

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

test('One that is being written as a root ends its epoch is no success: no node orders it any more', () => {
  const node = new SubmitNode()
  node.settled(node.ask({ type: 'submit', envelope: one.envelope }))
  node.ask({ type: 'page', release: one.id, bytes: one.page })
  const last = node.ask({ type: 'block', release: one.id, bytes: one.block })
  node.ask({ type: 'root', root: rootBytes(raiseEpoch(ROOT, CHANNEL as string as Pattern)) })
  node.counted.length = 0
  node.persist(last)
  expect(node.counted).toEqual(['ORDER_STALE_EPOCH'])
  expect(refusal(node.ask({ type: 'await', release: one.id }))).toBe('ORDER_STALE_EPOCH')
})

test('Nor is one that awaits a second seed, of which whoever waits hears at once; what is of another channel goes on', () => {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const other = make({ clock: { alice: 1 }, text: 'other', header: { channel: 'app/api' as Channel } })
  const [asked, on] = [one, other].map((made) => {
    node.settled(node.answer(node.ask({ type: 'submit', envelope: made.envelope })[0], { type: 'noted' }))
    node.ask({ type: 'page', release: made.id, bytes: made.page })
    const whole = node.persist(node.ask({ type: 'block', release: made.id, bytes: made.block }))
    expect(node.ask({ type: 'await', release: made.id })).toEqual([])
    return whole.find(({ kind }) => kind === 'request')
  })
  const root = rootBytes(raiseEpoch(ROOT, CHANNEL as string as Pattern))
  const over = { type: 'refused', code: 'ORDER_STALE_EPOCH' }
  expect(replies(node.settled(node.ask({ type: 'root', root })))).toMatchObject([over, { type: 'noted' }])
  expect(refusal(node.ask({ type: 'await', release: one.id }))).toBe('ORDER_STALE_EPOCH')
  const held = { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] } as const
  expect(node.answer(asked, held)).toEqual([])
  expect(node.tick(1)).toEqual([])
  expect(replies(node.answer(on, held))).toMatchObject([{ type: 'done', acknowledgedBy: [PEER, SELF] }])
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

describe('Where all places are taken', () => {
  const of = (publisher: string, name: string) =>
    make({ clock: { [publisher]: 1 }, publisher, header: { channel: `app/${name}` as Channel } })
  const alices = ['a', 'b', 'c', 'd'].map((name) => of('alice', name))

  test.each([{ maxUploads: 4 }, { maxUploadsPerAddress: 4 }])(
    'by one publisher, whose uploads all go on, the one of which nothing came for longest makes room for another’s (%o)',
    (places) => {
      const { node, begin } = runs(places)
      const page = (made: Made, run: PeerId) =>
        refusal(node.ask({ type: 'page', release: made.id, bytes: made.page }, run))
      const [first, ...others] = alices.map((made) => ({ made, ...begin(made) }))
      if (first === undefined) throw new Error('there is one')
      node.monoMs += 1
      for (const { made, run } of others) page(made, run)
      node.counted.length = 0
      expect(begin(of('bob', 'a')).answer).toBe('need')
      expect(node.counted).toEqual(['LIMIT_RATE'])
      expect(page(first.made, first.run)).toBe('ORDER_PLACE_TAKEN')
      // It takes none back, and another has no more of them than it has itself.
      expect(begin(first.made).answer).toBe('LIMIT_RATE')
      expect(begin(of('bob', 'b')).answer).toBe('need')
      expect(begin(of('bob', 'c')).answer).toBe('LIMIT_RATE')
    },
  )

  test('nothing makes room that has all it needs and is being written', () => {
    const { node, begin } = runs({ maxUploads: 2 })
    const written = alices.slice(0, 2).map((made) => {
      const { run } = begin(made)
      node.ask({ type: 'page', release: made.id, bytes: made.page }, run)
      return node.ask({ type: 'block', release: made.id, bytes: made.block }, run)
    })
    expect(begin(of('bob', 'a')).answer).toBe('LIMIT_RATE')
    for (const last of written) node.persist(last)
    expect(node.view().channels.map(({ target }) => target !== undefined)).toEqual([true, true])
  })

  test.each([
    [4, true],
    [5, false],
  ])('a publisher with a quarter of them or more makes room, of %i alike: %s', (publishers, gives) => {
    const uploads = Array.from({ length: 2 * publishers }, (_, at) => ({
      release: { header: { publisher: `p${at % publishers}` } },
      phase: 'blocks',
      progressMonoMs: 0,
    })) as unknown as Upload[]
    expect(overShareOf(uploads, of('alice', 'a').release) !== undefined).toBe(gives)
  })
})

test('A new root ends what it lets go on no longer, and leaves the rest: its places are free at once', () => {
  const node = new SubmitNode({ limits: withLimits({ maxUploads: 2 }) })
  node.settled(node.ask({ type: 'submit', envelope: elsewhere.envelope }))
  node.connect(PEER, { seed: true })
  // Its place is still being asked for.
  expect(requests(node.ask({ type: 'submit', envelope: one.envelope }))).toEqual(['lease peer'])
  const root = rootBytes(raiseEpoch(ROOT, CHANNEL as string as Pattern))
  const after = node.settled(node.ask({ type: 'root', root }))
  expect(replies(after)).toMatchObject([{ type: 'refused', code: 'ORDER_STALE_EPOCH' }, { type: 'noted' }])
  expect(node.named()).toEqual([sha256(elsewhere.page)])
  const recovery = make({ clock: { alice: 1 }, header: { root: 2 } })
  node.settled(node.answer(node.ask({ type: 'submit', envelope: recovery.envelope })[0], { type: 'noted' }))
  expect(node.named()).toHaveLength(2)
})
