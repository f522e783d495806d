/** A second seed that is slow: others are asked beside it, and the first that holds the release counts. */
import { expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { MAX_ASKED } from '../../../src/core/submit/acknowledge.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import { make, SELF, withLimits } from '../core/fleet.ts'
import { ofKind, replies, requests, SubmitNode } from './submit-node.ts'

const made = make({ clock: { alice: 1 } })
const [A, B, C, D] = ['A', 'B', 'C', 'D'].map((name) => `12D3KooW${name}` as PeerId) as [
  PeerId,
  PeerId,
  PeerId,
  PeerId,
]
const EVERY_MS = LIMITS.acknowledgeMs / MAX_ASKED
const done = (...by: PeerId[]) => ({ type: 'done', verdict: 'NEW', acknowledgedBy: by }) as const
const held = { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [] } as const
const full = { type: 'refused', code: 'STORE_FULL', text: 'no room' } as const

/** A release that is whole here, beside so many seeds, the first of which is asked; its publisher waits. */
function beside(seeds: readonly PeerId[], named: readonly PeerId[] = [], limits: Partial<Limits> = {}) {
  const node = new SubmitNode({
    limits: withLimits(limits),
    seeds: named.map((peer) => `/ip4/10.0.0.2/tcp/7400/p2p/${peer}` as Address),
  })
  for (const peer of seeds) node.connect(peer, { seed: true })
  const asked = new Map<string, Effect>()
  const note = (effects: readonly Effect[]) => {
    for (const request of ofKind(effects, 'request')) asked.set(request.peer, request)
    return effects
  }
  let effects = node.ask({ type: 'submit', envelope: made.envelope })
  while (requests(effects)[0]?.startsWith('lease') === true)
    effects = node.answer(effects[0], { type: 'noted' })
  node.settled(effects)
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  const last = node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  expect(requests(note(last))).toEqual(['await A'])
  expect(node.ask({ type: 'await', release: made.id })).toEqual([])
  return {
    tick: (afterMs: number) => note(node.tick(afterMs)),
    answer: (peer: PeerId, reply: PublishReply) => note(node.answer(asked.get(peer), reply)),
    fail: (peer: PeerId) => {
      const request = asked.get(peer)
      if (request?.kind !== 'request') throw new Error('it was not asked')
      return note(node.handle({ kind: 'requestFailed', id: request.id, code: 'NET_TIMEOUT' }))
    },
    /** Its publisher, whose question was answered "not yet", asks again. */
    waits: () => expect(node.ask({ type: 'await', release: made.id })).toEqual([]),
    leaves: (peer: PeerId) => node.disconnect(peer),
  }
}

test('Another is asked after a third of the time, and the first that holds it counts', () => {
  const { tick, answer } = beside([A, B])
  expect(tick(EVERY_MS - 1)).toEqual([])
  const another = tick(1)
  expect(another).toMatchObject([
    { kind: 'request', peer: B, request: { message: { type: 'await', release: made.id } } },
  ])
  const told = answer(B, held)
  expect(told.map(({ kind }) => kind)).toEqual(['reply'])
  expect(replies(told)).toEqual([done(B, SELF)])
  // The slow one has nothing to add, nor is anybody asked any more.
  expect(answer(A, held)).toEqual([])
  expect(tick(LIMITS.acknowledgeMs)).toEqual([])
})

test('So does the slow one, where it is the first after all', () => {
  const { tick, answer } = beside([A, B])
  tick(EVERY_MS)
  expect(replies(answer(A, held))).toEqual([done(A, SELF)])
})

test('So many are asked at once and no more, the next where one of them refuses or fails', () => {
  const { tick, answer, fail } = beside([A, B, C, D])
  expect(tick(EVERY_MS - 1)).toEqual([])
  expect(requests(answer(A, full))).toEqual(['await B'])
  // Each has its time, however it came to be asked.
  expect(tick(1)).toEqual([])
  expect(requests(tick(EVERY_MS))).toEqual(['await C'])
  expect(fail(B).map((effect) => requests([effect])[0])).toEqual(['await D'])
  // Two are left, which both may hold it yet.
  expect(answer(C, full)).toEqual([])
  expect(replies(answer(D, full))).toEqual([done(SELF)])
})

test('All that are asked may be slow: the time is over when it is over', () => {
  const { tick } = beside([A, B, C, D])
  const asked = Array.from({ length: MAX_ASKED - 1 }, () => requests(tick(EVERY_MS)))
  expect(asked).toEqual([['await B'], ['await C']])
  expect(tick(EVERY_MS)).toEqual([])
  expect(replies(tick(LIMITS.acknowledgeMsPerMib))).toEqual([done(SELF)])
})

test('One that says “not yet” in time is asked again beside the others', () => {
  const { tick, answer } = beside([A, B])
  expect(requests(tick(LIMITS.awaitMs / 2))).toEqual(['await B'])
  const again = answer(A, { type: 'noted' })
  expect(again.map(({ kind }) => kind)).toEqual(['request'])
  expect(requests(again)).toEqual(['await A'])
  expect(replies(answer(A, held))).toEqual([done(A, SELF)])
})

/** Time for several questions: a larger release has it. */
const LONG = { acknowledgeMs: 90_000 }

test('One whose “not yet” comes early keeps its questions shorter: it is asked again after a while, until the time is over', () => {
  const { tick, answer, waits } = beside([A], [], LONG)
  tick(5_000)
  expect(answer(A, { type: 'noted' })).toEqual([])
  expect(tick(LIMITS.awaitMs / 2 - 5_001)).toEqual([])
  expect(requests(tick(1))).toEqual(['await A'])
  tick(1_000)
  expect(answer(A, { type: 'noted' })).toEqual([])
  expect(requests(tick(LIMITS.awaitMs / 2))).toEqual(['await A'])
  waits()
  expect(replies(answer(A, held))).toEqual([done(A, SELF)])
})

test('Meanwhile others are asked, who may hold it', () => {
  const { tick, answer } = beside([A, B], [], LONG)
  tick(5_000)
  expect(requests(answer(A, { type: 'noted' }))).toEqual(['await B'])
  expect(answer(B, full)).toEqual([])
  expect(requests(tick(5_000))).toEqual(['await A'])
  expect(replies(answer(A, full))).toEqual([done(SELF)])
})

test('But nobody who only says that it is a seed, where the configuration names that one', () => {
  const { tick, answer } = beside([A, B], [A], LONG)
  tick(5_000)
  expect(answer(A, { type: 'noted' })).toEqual([])
  expect(requests(tick(5_000))).toEqual(['await A'])
})

test('One that keeps its questions for longer than this seed waits is asked again while it is linked', () => {
  const { tick, fail, leaves, waits } = beside([A], [], LONG)
  tick(LIMITS.publishDeadlineMs)
  expect(requests(fail(A))).toEqual(['await A'])
  tick(LIMITS.publishDeadlineMs)
  leaves(A)
  waits()
  expect(replies(fail(A))).toEqual([done(SELF)])
})

test('Nor is one waited for that has left since it was to be asked again', () => {
  const { tick, answer, leaves } = beside([A], [], LONG)
  answer(A, { type: 'noted' })
  leaves(A)
  expect(replies(tick(LIMITS.awaitMs / 2))).toEqual([done(SELF)])
})

test('Others are judged by how long they keep a question, not by how long this seed would', () => {
  const shorter = { ...LONG, awaitMs: 2_000 }
  const early = beside([A, B], [], shorter)
  early.tick(5_000)
  expect(requests(early.answer(A, { type: 'noted' }))).toEqual(['await B'])
  expect(requests(early.tick(5_000))).toEqual(['await A'])
  const lost = beside([A], [], shorter)
  lost.tick(5_000)
  lost.waits()
  expect(replies(lost.fail(A))).toEqual([done(SELF)])
})

test('So is one whose question this seed gives up before it says “not yet”', () => {
  const { tick, fail } = beside([A], [], { ...LONG, awaitMs: 2_000, publishDeadlineMs: 6_000 })
  tick(6_000)
  expect(fail(A)).toEqual([])
  expect(requests(tick(4_000))).toEqual(['await A'])
})

test('A seed keeps a question no longer than all do, whatever its own limit is, and goes by that', () => {
  const { tick, answer } = beside([A], [], { ...LONG, awaitMs: 60_000, publishDeadlineMs: 61_000 })
  expect(replies(tick(LIMITS.awaitMs - 1))).toEqual([])
  expect(replies(tick(1))).toEqual([{ type: 'noted' }])
  expect(requests(answer(A, { type: 'noted' }))).toEqual(['await A'])
})

test('Beside one that the configuration names nobody is asked who only says that it is a seed', () => {
  const { tick, fail } = beside([A, B, C], [A, C])
  expect(requests(tick(EVERY_MS))).toEqual(['await C'])
  expect(tick(EVERY_MS)).toEqual([])
  expect(fail(A)).toEqual([])
  expect(requests(fail(C))).toEqual(['await B'])
})

test('A seed that does not store the channel is not asked: it would keep the question and never hold the release', () => {
  for (const [stores, told] of [
    [['db/**'], []],
    [['db/**', 'app/*'], ['await A']],
  ] as const) {
    const node = new SubmitNode()
    node.connect(A, { seed: true, patterns: stores })
    node.settled(node.answer(node.ask({ type: 'submit', envelope: made.envelope })[0], { type: 'noted' }))
    node.ask({ type: 'page', release: made.id, bytes: made.page })
    const last = node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
    expect(requests(last)).toEqual(told)
    const waits = replies(node.ask({ type: 'await', release: made.id }))
    expect(waits).toEqual(told.length === 0 ? [done(SELF)] : [])
  }
})
