/** What a publisher is told is true when it hears it: of its place, of the content, and of what others signed. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Snapshot } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import {
  CHANNEL,
  floorOf,
  gossip,
  type Made,
  make,
  OTHER,
  PEER,
  record,
  SELF,
  withLimits,
} from '../core/fleet.ts'
import { refusal, replies, requests, SubmitNode, TOOL, writes } from './submit-node.ts'

const made = make({ clock: { alice: 1 } })
const done = { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [SELF] }
const GONE = { type: 'refused', code: 'STORE_FULL', text: 'no room' } as const
const needed = { type: 'need', pages: made.release.header.pages, blocks: [] }
/** Submitted and brought but for the effects of the last block, whose writes are on their way. */
function brought(node: SubmitNode, { envelope, id, page, block }: Made = made) {
  node.settled(node.ask({ type: 'submit', envelope }))
  node.settled(node.ask({ type: 'page', release: id, bytes: page }))
  return node.ask({ type: 'block', release: id, bytes: block })
}

test('A place is taken at this seed, too, however many that the configuration names come before it', () => {
  const before = Array.from({ length: LIMITS.leaseSeeds }, (_, n) => `${OTHER}${n}` as PeerId)
  expect(before.every((peer) => peer < SELF)).toBe(true)
  const node = new SubmitNode({
    seeds: before.map((peer) => `/ip4/10.0.0.2/tcp/7400/p2p/${peer}` as Address),
  })
  for (const peer of before) node.connect(peer, { seed: true })
  let effects = node.ask({ type: 'submit', envelope: made.envelope })
  for (const peer of before) {
    expect(requests(effects)).toEqual([`lease ${peer.slice(8)}`])
    effects = node.answer(effects[0], { type: 'noted' })
  }
  expect(writes(effects)).toEqual(['lease!'])
  expect(replies(effects)).toEqual([])
})

test('A release that is known here without its content is not done: its content is asked for', () => {
  const node = new SubmitNode()
  node.settled(node.handle(gossip(made)))
  expect(replies(node.settled(node.ask({ type: 'submit', envelope: made.envelope })))).toEqual([needed])
})

test('Nor is one that was done and has lost a block: whoever awaits it hears so once it is whole again', () => {
  const node = new SubmitNode()
  node.settled(brought(node))
  const ask = () => replies(node.ask({ type: 'await', release: made.id }))
  expect(ask()).toMatchObject([{ type: 'done', verdict: 'NEW' }])
  for (const digest of [sha256(made.page), sha256(made.block)]) node.handle({ kind: 'blockLost', digest })
  // The manifest is read again, and is not there.
  node.tick(1)
  node.handle({ kind: 'blockRead', digest: sha256(made.page), bytes: undefined })
  expect(replies(node.settled(node.ask({ type: 'submit', envelope: made.envelope })))).toEqual([needed])
  expect(ask()).toEqual([])
  node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  const last = node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  expect(replies(last)).toContainEqual(done)
})

test('Another seed is not told from memory that it is held: what has lost a block is fetched, and held once it is whole', () => {
  const node = new SubmitNode()
  node.settled(brought(node))
  node.connect(PEER, { seed: true })
  const ask = (peer = TOOL) => node.ask({ type: 'await', release: made.id }, peer)
  expect(replies(ask(PEER))).toMatchObject([{ type: 'done', verdict: 'NEW' }])
  for (const digest of [sha256(made.page), sha256(made.block)]) node.handle({ kind: 'blockLost', digest })
  node.tick(1)
  node.handle({ kind: 'blockRead', digest: sha256(made.page), bytes: undefined })
  expect(replies(ask(PEER))).toEqual([])
  // Its publisher, whose answer may have been lost, has the content.
  expect(refusal(ask())).toBe('FETCH_UNAVAILABLE')
  const whole = node.settled(node.handle(gossip(made, [...made.content.values()])))
  expect(replies(whole)).toEqual([done])
})

test('Nor is it told so of what was replaced and dropped since, and not left to wait for it', () => {
  const node = new SubmitNode({ keepReleases: 1, materialize: false })
  for (const counter of [1, 2, 3]) {
    const next = counter === 1 ? made : make({ clock: { alice: counter }, text: `${counter}` })
    node.settled(brought(node, next))
    const outcome = { kind: 'healthy', changed: 1 } as const
    node.settled(node.handle({ kind: 'activated', channel: CHANNEL, release: next.id, outcome }))
  }
  node.connect(PEER, { seed: true })
  expect(replies(node.ask({ type: 'header', release: made.id }))).toEqual([{ type: 'header' }])
  expect(refusal(node.ask({ type: 'await', release: made.id }, PEER))).toBe('FETCH_UNAVAILABLE')
})

/** What is awaited of another seed has lost its blocks here. */
function lostMeanwhile() {
  const { node, next, second } = besideASecond()
  for (const digest of [sha256(next.page), sha256(next.block)]) node.handle({ kind: 'blockLost', digest })
  node.tick(1)
  node.handle({ kind: 'blockRead', digest: sha256(next.page), bytes: undefined })
  return { node, next, second }
}

test('Of what lost a block while a second seed was asked only that one is named, and no seed is told that it is held here', () => {
  const { node, next, second } = lostMeanwhile()
  const another = `${PEER}2` as PeerId
  node.connect(another, { seed: true })
  expect(replies(node.ask({ type: 'await', release: next.id }))).toEqual([])
  expect(replies(node.ask({ type: 'await', release: next.id }, another))).toEqual([])
  const theirs = { type: 'done', verdict: 'NEW', acknowledgedBy: [PEER] } as const
  expect(replies(node.answer(second, theirs))).toEqual([theirs])
})

test('What is only looked through meanwhile, as a block of another was lost, is held here: by both, or by this one alone', () => {
  const theirs = { type: 'done', verdict: 'NEW', acknowledgedBy: [PEER] } as const
  for (const [reply, acknowledgedBy] of [
    [theirs, [PEER, SELF]],
    [GONE, [SELF]],
  ] as const) {
    const { node, next, second } = besideASecond()
    expect(replies(node.ask({ type: 'await', release: next.id }))).toEqual([])
    node.handle({ kind: 'blockLost', digest: sha256(made.block) })
    const reads = node.tick(1).flatMap((effect) => (effect.kind === 'read' ? [effect.digest] : []))
    expect(reads).toEqual([sha256(next.page)])
    expect(replies(node.answer(second, reply))).toEqual([{ type: 'done', verdict: 'NEW', acknowledgedBy }])
  }
})

test('And where no second seed has it, its publisher is told to bring it again', () => {
  const { node, next, second } = lostMeanwhile()
  expect(replies(node.ask({ type: 'await', release: next.id }))).toEqual([])
  expect(refusal(node.answer(second, GONE))).toBe('CONTENT_GONE')
})

/** A release that is whole, and of which one more seed is asked whether it holds it; and a twin of it. */
function besideASecond() {
  const node = new SubmitNode()
  node.settled(brought(node))
  node.connect(PEER, { seed: true })
  const next = make({ clock: { alice: 2 }, text: 'next' })
  const [lease] = node.ask({ type: 'submit', envelope: next.envelope })
  node.settled(node.answer(lease, { type: 'noted' }))
  node.settled(node.ask({ type: 'page', release: next.id, bytes: next.page }))
  const [second] = node
    .settled(node.ask({ type: 'block', release: next.id, bytes: next.block }))
    .filter((effect) => effect.kind === 'request')
  expect(second).toMatchObject({ peer: PEER, request: { message: { type: 'await' } } })
  return { node, next, second, twin: make({ clock: { alice: 2 }, text: 'a twin' }) }
}

test('A release whose place another has got by the time that a second seed holds it is no success', () => {
  const { node, next, second, twin } = besideASecond()
  node.settled(node.handle(gossip(twin)))
  node.ask({ type: 'await', release: next.id })
  const told = node.answer(second, { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] })
  expect(refusal(told)).toBe('ORDER_EQUIVOCATION')
})

test('Nor is it where it is brought or awaited again, though it was one before the twin came', () => {
  const { node, next, second, twin } = besideASecond()
  node.answer(second, { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] })
  const ask = () => replies(node.ask({ type: 'await', release: next.id }))
  expect(ask()).toEqual([{ type: 'done', verdict: 'NEW', acknowledgedBy: [PEER, SELF] }])
  node.settled(node.handle(gossip(twin)))
  const held = {
    type: 'refused',
    code: 'ORDER_EQUIVOCATION',
    text: 'another release was signed for the same place; app/web is held until a greater one',
  }
  expect(ask()).toEqual([held])
  for (let times = 0; times < 2; times += 1) {
    const again = node.ask({ type: 'submit', envelope: next.envelope })
    expect(replies(again)).toEqual([held])
    expect(writes(again)).toEqual(['audit'])
  }
  expect(node.counted).toEqual(['NEW', 'NEW', 'ORDER_EQUIVOCATION', 'ORDER_EQUIVOCATION'])
})

test('Nor at a seed that was restarted since, nor where all of it came from elsewhere', () => {
  const twin = make({ clock: { alice: 1 }, text: 'a twin' })
  const ids = [made.id, twin.id].sort()
  const stored: Partial<Snapshot> = {
    floors: [{ ...floorOf(made), ids }],
    channels: [record(ids)] as never,
    envelopes: [made, twin].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
    blocks: new Set(made.content.keys()),
    whole: [made.id],
  }
  const restarted = new SubmitNode({}, stored)
  expect(refusal(restarted.ask({ type: 'submit', envelope: made.envelope }))).toBe('ORDER_EQUIVOCATION')
  expect(refusal(restarted.ask({ type: 'await', release: made.id }))).toBe('ORDER_EQUIVOCATION')

  const node = new SubmitNode()
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  expect(replies(node.ask({ type: 'await', release: made.id }))).toEqual([])
  const all = node.handle(gossip(made, [...made.content.values()]))
  expect(replies([...all, ...node.settled(node.handle(gossip(twin)))])).toEqual([])
  expect(refusal(node.persist(all))).toBe('ORDER_EQUIVOCATION')
})

/** Of another publisher, ranking higher than what is second on its channel: no node activates that. */
const higher = make({ clock: { bob: 2 }, publisher: 'bob', text: 'higher' })

test('A release that another publisher has ranked below his own by the time that a second seed holds it says so', () => {
  const { node, next, second } = besideASecond()
  node.ask({ type: 'await', release: next.id })
  node.settled(node.handle(gossip(higher)))
  const told = node.answer(second, { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] })
  expect(told.map(({ kind }) => kind)).toEqual(['reply'])
  expect(replies(told)).toEqual([{ type: 'done', verdict: 'CONCURRENT', acknowledgedBy: [PEER, SELF] }])
})

test('So it does where it is awaited or brought again, though it was the highest when it was done', () => {
  const { node, next, second } = besideASecond()
  node.answer(second, { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] })
  const ask = () => replies(node.ask({ type: 'await', release: next.id }))
  const done = { type: 'done', acknowledgedBy: [PEER, SELF] }
  expect(ask()).toEqual([{ ...done, verdict: 'NEW' }])
  node.settled(node.handle(gossip(higher)))
  expect(ask()).toEqual([{ ...done, verdict: 'CONCURRENT' }])
  const again = node.ask({ type: 'submit', envelope: next.envelope })
  expect(again.map(({ kind }) => kind)).toEqual(['reply'])
  expect(replies(again)).toEqual([{ ...done, verdict: 'CONCURRENT' }])
  expect(node.counted).toEqual(['NEW', 'NEW', 'CONCURRENT'])
})

test('So it does at a seed that was restarted since, and at one that had it from the mesh', () => {
  const beside = { type: 'done', verdict: 'CONCURRENT', acknowledgedBy: [SELF] }
  const restarted = new SubmitNode(
    {},
    {
      floors: [floorOf(higher)],
      channels: [record([made.id, higher.id].sort())] as never,
      envelopes: [made, higher].map(({ id, envelope: bytes }) => ({ release: id, channel: CHANNEL, bytes })),
      blocks: new Set(made.content.keys()),
      whole: [made.id],
    },
  )
  expect(replies(restarted.ask({ type: 'await', release: made.id }))).toEqual([beside])
  expect(replies(restarted.ask({ type: 'submit', envelope: made.envelope }))).toEqual([beside])

  const knowing = new SubmitNode()
  for (const each of [made, higher]) knowing.settled(knowing.handle(gossip(each)))
  knowing.settled(brought(knowing))
  expect(replies(knowing.ask({ type: 'await', release: made.id }))).toEqual([beside])
  expect(knowing.counted).toEqual(['CONCURRENT'])

  const overtaken = new SubmitNode()
  overtaken.settled(overtaken.ask({ type: 'submit', envelope: made.envelope }))
  expect(replies(overtaken.ask({ type: 'await', release: made.id }))).toEqual([])
  const all = overtaken.handle(gossip(made, [...made.content.values()]))
  overtaken.settled(overtaken.handle(gossip(higher)))
  expect(replies(overtaken.persist(all))).toEqual([beside])
  expect(overtaken.counted).toEqual(['CONCURRENT'])
})

test('Brought again while a second seed pulls it a release is awaited again; after that both hold it', () => {
  const { node, next, second } = besideASecond()
  const again = () => replies(node.ask({ type: 'submit', envelope: next.envelope }))
  expect(again()).toEqual([{ type: 'need', pages: [], blocks: [] }])
  expect(replies(node.ask({ type: 'await', release: next.id }))).toEqual([])
  const both = { type: 'done', verdict: 'NEW', acknowledgedBy: [PEER, SELF] }
  const told = node.answer(second, { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [PEER] })
  expect(replies(told)).toEqual([both])
  expect(again()).toEqual([{ ...both, verdict: 'DUPLICATE' }])
  expect(node.counted).toEqual(['NEW', 'NEW', 'DUPLICATE', 'DUPLICATE'])
})

test('A second seed that knows of the twin holds it all the same: no third is asked', () => {
  const { node, next, second } = besideASecond()
  node.connect(OTHER, { seed: true })
  node.ask({ type: 'await', release: next.id })
  const told = node.answer(second, { type: 'refused', code: 'ORDER_EQUIVOCATION', text: 'held' })
  expect(told.map(({ kind }) => kind)).toEqual(['reply'])
  expect(replies(told)).toEqual([{ type: 'done', verdict: 'NEW', acknowledgedBy: [PEER, SELF] }])
})

test('A submission whose last batch takes the disk for long is not given up', () => {
  const node = new SubmitNode()
  const last = brought(node)
  expect(replies(node.ask({ type: 'await', release: made.id }))).toEqual([])
  expect(replies(node.tick(LIMITS.leaseMs)).filter(({ type }) => type === 'refused')).toEqual([])
  expect(node.counted).toEqual([])
  node.persist(last)
  expect(node.counted).toEqual(['NEW'])
})

test('What it sends of its content are no questions: there may be more blocks than questions at once', () => {
  const limits = withLimits({ publishAsksPerSecond: 0, publishAsksBurst: 1 })
  const node = new SubmitNode({ limits })
  const many = make({ clock: { alice: 1 }, also: ['b=1\n', 'c=1\n', 'd=1\n'] })
  node.settled(node.ask({ type: 'submit', envelope: many.envelope }))
  const parts = [many.page, ...[...many.content.values()].filter((bytes) => bytes !== many.page)]
  const answers = parts.flatMap((bytes, at) =>
    replies(node.ask({ type: at === 0 ? 'page' : 'block', release: many.id, bytes })),
  )
  expect(answers.map(({ type }) => type)).toEqual(['need', 'noted', 'noted', 'noted', 'need'])
  expect(refusal(node.ask({ type: 'await', release: many.id }))).toBe('LIMIT_RATE')
})
