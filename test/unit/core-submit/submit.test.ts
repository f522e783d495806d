import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import { CHANNEL, given, gossip, type Made, make, OTHER, PEER, SELF, withLimits } from '../core/fleet.ts'
import { ofKind, refusal, replies, requests, SubmitNode, TOOL, writes } from './submit-node.ts'

/** Submits and brings everything; the effects of the last part, settled. */
function uploaded(node: SubmitNode, made: Made) {
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  return node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
}

/** The same at a seed that has two others beside it, which lend the place. */
function uploadedBesideTwo(node: SubmitNode) {
  const made = make({ clock: { alice: 1 } })
  const first = node.ask({ type: 'submit', envelope: made.envelope })
  const second = node.answer(first[0], { type: 'noted' })
  node.settled(node.answer(second[0], { type: 'noted' }))
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  return node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
}

const big = (clock: Record<string, number>) => make({ clock, text: 'x'.repeat(LIMITS.maxInlineBytes) })

test('A submission: lease, pages, blocks, then one batch that ends with whole', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  const first = node.ask({ type: 'submit', envelope: made.envelope })
  expect(writes(first)).toEqual(['lease!'])
  expect(replies(first)).toEqual([])
  const granted = node.persist(first)
  expect(replies(granted)).toEqual([{ type: 'need', pages: made.release.header.pages, blocks: [] }])

  const block = [...made.content.keys()][1]
  const paged = node.ask({ type: 'page', release: made.id, bytes: made.page })
  expect(paged.map(({ kind }) => kind)).toEqual(['reply'])
  expect(replies(paged)).toEqual([{ type: 'need', pages: [], blocks: [block] }])

  const last = node.ask({ type: 'block', release: made.id, bytes: made.block })
  const batch = writes(last).find((kinds) => kinds.endsWith('whole!'))
  expect(batch).toBeDefined()
  expect(batch).toContain('envelope')
  expect(batch?.split(' ').filter((kind) => kind === 'block')).toHaveLength(2)
  expect(replies(last)).toEqual([{ type: 'need', pages: [], blocks: [] }])
  expect(replies(node.ask({ type: 'await', release: made.id }))).toEqual([])

  const after = node.persist(last)
  expect(replies(after)).toEqual([{ type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] }])
  expect(writes(after)).toEqual(expect.arrayContaining(['dropLease', 'audit']))
  expect(node.view().channels[0]?.target).toBe(made.id)
})

test('What is too long to travel with its announcement is written as it comes, and acknowledged once written', () => {
  const node = new SubmitNode()
  const made = big({ alice: 1 })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  const paged = node.ask({ type: 'page', release: made.id, bytes: made.page })
  expect(writes(paged)).toEqual(['block'])
  expect(replies(paged)).toEqual([])
  const read = node.persist(paged)
  expect(read.map(({ kind }) => kind)).toEqual(['read'])
  const [digest] = made.release.header.pages
  if (digest === undefined) throw new Error('no page')
  const asked = node.handle({ kind: 'blockRead', digest, bytes: made.page })
  expect(replies(asked)).toMatchObject([{ type: 'need', pages: [], blocks: [expect.any(String)] }])
  const last = node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  expect(writes(last)[0]).toBe('block')
  expect(writes(last).some((kinds) => kinds.endsWith('whole!'))).toBe(true)
})

test('A publisher that dies in mid-upload leaves no trace: nothing ordered, said or kept but the lease, which ends', () => {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const made = big({ alice: 1 })
  const asked = node.ask({ type: 'submit', envelope: made.envelope })
  expect(requests(asked)).toEqual(['lease peer'])
  const granted = node.settled(node.answer(asked[0], { type: 'noted' }))
  const paged = node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  const [digest] = made.release.header.pages
  if (digest === undefined) throw new Error('no page')
  const all = [
    ...asked,
    ...granted,
    ...paged,
    ...node.handle({ kind: 'blockRead', digest, bytes: made.page }),
  ]
  expect(all.filter(({ kind }) => kind === 'publish')).toEqual([])
  expect(writes(all)).toEqual(['lease!', 'block'])
  expect(node.view().channels.find(({ channel }) => channel === CHANNEL)?.target).toBeUndefined()
  expect(replies(node.ask({ type: 'header', release: made.id }))).toEqual([{ type: 'header' }])

  const ended = node.tick(LIMITS.leaseMs + 1)
  expect(requests(ended)).toEqual(['free peer'])
  expect(writes(ended)).toEqual(['dropLease', 'audit'])
  expect(refusal(node.ask({ type: 'block', release: made.id, bytes: made.block }))).toBe('ORDER_PLACE_TAKEN')
  const other = make({ clock: { alice: 1 }, text: 'other' })
  expect(requests(node.ask({ type: 'submit', envelope: other.envelope }))).toEqual(['lease peer'])
})

test('Only a seed takes submissions from elsewhere; any node takes them from its own host', () => {
  const made = make({ clock: { alice: 1 } })
  const node = new SubmitNode({ submit: false })
  expect(refusal(node.ask({ type: 'submit', envelope: made.envelope }))).toBe('ADMIT_REFUSED')
  expect(refusal(node.ask({ type: 'state', channel: CHANNEL }))).toBe('ADMIT_REFUSED')
  expect(node.counted).toEqual(['ADMIT_REFUSED'])
  node.connect(OTHER, { ownHost: true })
  expect(writes(node.ask({ type: 'submit', envelope: made.envelope }, OTHER))).toEqual(['lease!'])
})

test('Nothing is taken that was not asked for', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  expect(refusal(node.ask({ type: 'block', release: made.id, bytes: made.block }))).toBe('BLOCK_UNWANTED')
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  expect(refusal(node.ask({ type: 'block', release: made.id, bytes: made.block }))).toBe('BLOCK_UNWANTED')
  expect(refusal(node.ask({ type: 'page', release: made.id, bytes: made.block }))).toBe('BLOCK_UNWANTED')
})

test('Verdicts are answered with their codes before anything is read', () => {
  const node = new SubmitNode()
  uploaded(node, make({ clock: { alice: 5 } }))
  const submit = (made: Made) => refusal(node.ask({ type: 'submit', envelope: made.envelope }))
  expect(submit(make({ clock: { alice: 4 } }))).toBe('ORDER_STALE')
  expect(submit(make({ clock: { alice: 6 }, header: { root: 9 } }))).toBe('ORDER_AHEAD')
  expect(submit(make({ clock: { alice: 6 }, header: { channel: 'other/x' as typeof CHANNEL } }))).toBe(
    'TRUST_UNAUTHORISED',
  )
  const foreign = make({ clock: { alice: 6 }, header: { fleet: 'f'.repeat(64) as never } })
  expect(submit(foreign)).toBe('ORDER_MISPLACED')
  expect(node.counted).toEqual(['NEW', 'ORDER_STALE', 'ORDER_AHEAD', 'TRUST_UNAUTHORISED', 'ORDER_MISPLACED'])
})

test('A twin of what stands gets ORDER_PLACE_TAKEN with the envelope of what stands', () => {
  const node = new SubmitNode()
  const first = make({ clock: { alice: 5 } })
  uploaded(node, first)
  const [reply] = replies(
    node.ask({ type: 'submit', envelope: make({ clock: { alice: 5 }, text: 'b' }).envelope }),
  )
  expect(reply).toMatchObject({ type: 'refused', code: 'ORDER_PLACE_TAKEN', envelope: first.envelope })
})

test('Two that race for one counter are no equivocation: nothing is held, and each release is counted once', () => {
  const node = new SubmitNode()
  const first = make({ clock: { alice: 1 } })
  const second = make({ clock: { alice: 1 }, text: 'b' })
  uploaded(node, first)
  expect(refusal(node.ask({ type: 'submit', envelope: second.envelope }))).toBe('ORDER_PLACE_TAKEN')
  expect(node.view().channels[0]?.target).toBe(first.id)
  uploaded(node, make({ clock: { alice: 2 }, text: 'c' }))
  expect(node.said.filter((line) => line.startsWith('ordered'))).toEqual(['ordered NEW', 'ordered NEW'])
  expect(node.said.filter((line) => line.startsWith('warn'))).toEqual([])
  expect(node.said).toContain('info ORDER_PLACE_TAKEN')

  node.settled(node.handle(gossip(make({ clock: { alice: 2 }, text: 'a twin that is out' }))))
  expect(node.said).toContain('ordered TWIN')
  expect(node.said).toContain('warn ORDER_EQUIVOCATION')
})

test('Overtaken while uploading: ORDER_STALE, and what overtook it stands', () => {
  const node = new SubmitNode()
  const slow = make({ clock: { alice: 1 } })
  const fast = make({ clock: { alice: 2 }, text: 'b' })
  node.settled(node.ask({ type: 'submit', envelope: slow.envelope }))
  uploaded(node, fast)
  node.ask({ type: 'page', release: slow.id, bytes: slow.page })
  expect(refusal(node.ask({ type: 'block', release: slow.id, bytes: slow.block }))).toBe('ORDER_STALE')
  expect(node.view().channels[0]?.target).toBe(fast.id)
  expect(node.counted).toEqual(['NEW', 'ORDER_STALE'])
})

test('The same submitted again is done at once; half of it goes on where it was', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  expect(replies(node.ask({ type: 'submit', envelope: made.envelope }))).toEqual([
    { type: 'need', pages: made.release.header.pages, blocks: [] },
  ])
  uploaded(node, made)
  expect(replies(node.ask({ type: 'submit', envelope: made.envelope }))).toEqual([
    { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [SELF] },
  ])
})

test('Uploads are bounded in number and staged bytes', () => {
  const few = new SubmitNode({ limits: withLimits({ maxUploadsPerAddress: 1 }) })
  few.settled(few.ask({ type: 'submit', envelope: make({ clock: { alice: 1 } }).envelope }))
  expect(
    refusal(few.ask({ type: 'submit', envelope: make({ clock: { bob: 1 }, publisher: 'bob' }).envelope })),
  ).toBe('LIMIT_RATE')
  for (const bound of [{ maxStagedBytesPerAddress: 100 }, { maxStagedBytes: 100 }]) {
    const small = new SubmitNode({ limits: withLimits(bound) })
    const made = make({ clock: { alice: 1 } })
    small.settled(small.ask({ type: 'submit', envelope: made.envelope }))
    expect(refusal(small.ask({ type: 'page', release: made.id, bytes: made.page }))).toBe('LIMIT_RATE')
  }
})

test('Questions have a rate for each address: another peer id is no other asker', () => {
  const node = new SubmitNode({ limits: withLimits({ publishAsksPerSecond: 1, publishAsksBurst: 2 }) })
  const ask = (peer: string) => {
    node.connect(peer as PeerId)
    return refusal(node.ask({ type: 'roots', since: 0 }, peer as PeerId))
  }
  expect(['a', 'b', 'c'].map((name) => ask(`12D3KooW${name}`))).toEqual(['root', 'root', 'LIMIT_RATE'])
  node.handle({ kind: 'disconnected', peer: '12D3KooWc' as PeerId })
  expect(ask('12D3KooWd')).toBe('LIMIT_RATE')
  node.connect(PEER, { seed: true })
  expect(refusal(node.ask({ type: 'roots', since: 0 }, PEER))).toBe('root')
})

test('Old releases sent again and again are written down at a bounded rate', () => {
  const node = new SubmitNode({ limits: withLimits({ auditsPerSecond: 1, auditsBurst: 3 }) })
  for (const counter of [1, 2]) uploaded(node, make({ clock: { alice: counter } }))
  const { envelope } = make({ clock: { alice: 1 }, text: 'another' })
  const again = Array.from({ length: 20 }, () => node.ask({ type: 'submit', envelope }))
  expect(again.map(refusal)).toEqual(Array.from({ length: 20 }, () => 'ORDER_PLACE_TAKEN'))
  expect(again.flatMap(writes)).toEqual(['audit', 'audit', 'audit'])
  node.monoMs += 1_000
  expect(writes(node.ask({ type: 'submit', envelope }))).toEqual(['audit'])
})

test('Releases of one channel come at a bounded rate', () => {
  const node = new SubmitNode({ limits: withLimits({ submitsBurst: 2, submitsPerMinute: 60 }) })
  for (const counter of [1, 2]) uploaded(node, make({ clock: { alice: counter } }))
  const third = make({ clock: { alice: 3 } })
  expect(refusal(node.ask({ type: 'submit', envelope: third.envelope }))).toBe('LIMIT_RATE')
  node.monoMs += 1_000
  expect(writes(node.ask({ type: 'submit', envelope: third.envelope }))).toEqual(['lease!'])
})

test('One more seed is told to pull, and both are named once it holds the release', () => {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const made = make({ clock: { alice: 1 } })
  const asked = node.ask({ type: 'submit', envelope: made.envelope })
  node.settled(node.answer(asked[0], { type: 'noted' }))
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  const last = node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  const pull = last.find((effect) => effect.kind === 'request' && effect.request.message.type === 'await')
  expect(requests(last)).toContain('await peer')
  expect(replies(node.ask({ type: 'await', release: made.id }, TOOL))).toEqual([])
  expect(replies(node.answer(pull, { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] }))).toEqual([
    { type: 'done', verdict: 'NEW', acknowledgedBy: [PEER, SELF] },
  ])
})

test('A seed that the configuration names is told to pull, not a peer that only says it is one', () => {
  const named = `/ip4/10.0.0.2/tcp/7400/p2p/${PEER}` as Address
  for (const draw of [0, 0.5, 0.99]) {
    const node = new SubmitNode({ seeds: [named], random: () => draw })
    node.connect(OTHER, { seed: true })
    node.connect(PEER, { seed: true })
    const last = uploadedBesideTwo(node)
    expect(requests(last)).toEqual(['await peer'])
  }
})

test('Where the second seed turns out to be full, also while it is waited for, a third is told to pull', () => {
  const full = { type: 'refused', code: 'STORE_FULL', text: 'no room' } as const
  // Too early for a third to be asked beside a slow one.
  const limits = withLimits({ acknowledgeMs: 2 * LIMITS.awaitMs })
  for (const isLater of [false, true]) {
    const node = new SubmitNode({ limits })
    node.connect(PEER, { seed: true })
    node.connect(OTHER, { seed: true })
    const last = uploadedBesideTwo(node)
    let asked: Effect | undefined = last.find((effect) => effect.kind === 'request')
    expect(requests(last)).toEqual(['await other'])
    if (isLater) {
      node.tick(LIMITS.awaitMs / 2)
      asked = node.answer(asked, { type: 'noted' })[0]
    }
    expect(requests(node.answer(asked, full))).toEqual(['await peer'])
  }
})

/** A release that is whole here, and is to be held by a second seed as well. */
function besideAnother() {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const made = make({ clock: { alice: 1 } })
  node.settled(node.answer(node.ask({ type: 'submit', envelope: made.envelope })[0], { type: 'noted' }))
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  const last = node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  return { node, made, last }
}

test('A second seed acknowledges nothing whose envelope and floor its disk refused', () => {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const made = make({ clock: { alice: 1 } })
  const refuse = (effects: readonly Effect[]) =>
    ofKind(effects, 'persist').flatMap(({ ticket }) =>
      node.handle({ kind: 'persistFailed', ticket, code: 'STORE_FAILED' }),
    )
  const pull = (effects: readonly Effect[]) =>
    [made.page, made.block].reduce((before, bytes) => {
      const want = ofKind(before, 'request').find(({ request }) => request.message.type === 'want')
      return want === undefined ? [] : node.settled(node.handle(given(want.id, bytes)))
    }, effects)
  refuse(node.handle(gossip(made)))
  node.ask({ type: 'await', release: made.id }, PEER)
  const later = node.tick(5_000)
  expect(replies(pull(later))).toEqual([])
  refuse(later)
  // Written after all: now it is fetched.
  const saved = node.settled(node.tick(5_000))
  expect(writes(saved)).toEqual(['envelope floor channel!'])
  expect(replies(pull(saved))).toEqual([{ type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [SELF] }])
})

test('A second seed that never holds it is not waited for without end', () => {
  const { node, made } = besideAnother()
  node.ask({ type: 'await', release: made.id })
  expect(replies(node.tick(LIMITS.acknowledgeMs + LIMITS.acknowledgeMsPerMib))).toEqual([
    { type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] },
  ])
})

test('A second seed that says “not yet” at once is not asked in a circle', () => {
  const { node, made, last } = besideAnother()
  const pull = last.find((effect) => effect.kind === 'request' && effect.request.message.type === 'await')
  const noted = (request: typeof pull) => requests(node.answer(request, { type: 'noted' }))
  expect([noted(pull), node.ask({ type: 'await', release: made.id })]).toEqual([[], []])
  expect(node.tick(LIMITS.awaitMs / 2 - 1)).toEqual([])
  expect(noted(node.tick(1)[0])).toEqual([])
  const done = { type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] }
  expect(replies(node.tick(LIMITS.acknowledgeMs))).toEqual([done])
})

test('A block that is lost while the last batch is written: nothing is acknowledged before it was looked through again', () => {
  const lose = { kind: 'blockLost', digest: sha256(Buffer.from('collected meanwhile')) } as const
  const written = (node: SubmitNode, made: Made) => {
    node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
    node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
    const last = node.ask({ type: 'block', release: made.id, bytes: made.block })
    node.ask({ type: 'await', release: made.id })
    node.handle(lose)
    return node.persist(last)
  }
  const made = make({ clock: { alice: 1 } })
  const [digest] = made.release.header.pages
  if (digest === undefined) throw new Error('no page')

  const sound = new SubmitNode({}, { blocks: new Set([lose.digest]) })
  expect(replies(written(sound, made))).toEqual([])
  const looked = sound.settled(sound.handle({ kind: 'blockRead', digest, bytes: made.page }))
  expect(replies(looked)).toEqual([{ type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] }])

  const damaged = new SubmitNode({}, { blocks: new Set([lose.digest]) })
  written(damaged, made)
  // The page itself was the lost block, and nobody else has it.
  damaged.handle({ kind: 'blockRead', digest, bytes: undefined })
  expect(refusal(damaged.tick(LIMITS.acknowledgeMs))).toBe('CONTENT_GONE')
  expect(refusal(damaged.ask({ type: 'await', release: made.id }))).not.toBe('done')
})

test('A release replaced while it is being written was overtaken, and its publisher is told so at once', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  const last = node.ask({ type: 'block', release: made.id, bytes: made.block })
  node.ask({ type: 'await', release: made.id })
  node.handle(gossip(make({ clock: { alice: 2 }, text: 'newer' })))
  expect(refusal(node.persist(last))).toBe('ORDER_STALE')
})

test('A release replaced while a second seed is awaited: its publisher does not wait on', () => {
  const { node, made } = besideAnother()
  node.ask({ type: 'await', release: made.id })
  expect(replies(node.tick(1))).toEqual([])
  node.settled(node.handle(gossip(make({ clock: { alice: 2 }, text: 'newer' }))))
  expect(replies(node.tick(1))).toEqual([{ type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] }])
})

test('Every submission is counted once, by what was answered', () => {
  const node = new SubmitNode({ limits: withLimits({ submitsPerMinute: 0, submitsBurst: 2 }) })
  const [first, second] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b' })]
  uploaded(node, first)
  node.ask({ type: 'submit', envelope: first.envelope })
  uploaded(node, second)
  const last = make({ clock: { alice: 3 }, text: 'c' })
  expect(refusal(node.ask({ type: 'submit', envelope: last.envelope }))).toBe('LIMIT_RATE')
  expect(node.counted).toEqual(['NEW', 'DUPLICATE', 'NEW', 'LIMIT_RATE'])
})

test('A question is no submission; one that is not even looked at is', () => {
  const node = new SubmitNode({ limits: withLimits({ publishAsksPerSecond: 0, publishAsksBurst: 0 }) })
  expect(refusal(node.ask({ type: 'state', channel: CHANNEL }))).toBe('LIMIT_RATE')
  expect(node.counted).toEqual([])
  expect(refusal(node.ask({ type: 'submit', envelope: make({ clock: { alice: 1 } }).envelope }))).toBe(
    'LIMIT_RATE',
  )
  expect(node.counted).toEqual(['LIMIT_RATE'])
})
