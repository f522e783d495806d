/** Gateways with too much to send, of either side of a border: whom a block is asked of then, and how much at once. */
import { expect, test } from 'vitest'
import { Entrants } from '../../../src/core/fetch/entry.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

const ABROAD = ['far a', 'far b', 'far c'].map(peer)
const BUSY = { type: 'busy', retryAfterMs: 200 } as const

/** Who brings the block into the region that feeds this one, but for so many before it. */
function inLine(digest: Digest, before: number): PeerId | undefined {
  const except = new Set<PeerId>()
  const entrants = new Entrants(ABROAD)
  for (let at = 0; at < before; at += 1) except.add(entrants.fetcher(digest, except) ?? SELF)
  return entrants.fetcher(digest, except)
}

/** It alone brings blocks into eu; us feeds it, where the seed is as well. It has the page. */
function fed(abroad = ABROAD, blocks = 60) {
  const node = fetcher({ gateways: [SELF], seedRegion: 'us', abroad, blocks })
  const [page] = node.started
  if (page === undefined) throw new Error('nobody is asked for the page')
  return { node, wants: node.give(page) }
}

const toOf = (wants: readonly Want[]) => new Set(wants.map(({ to }) => to))

test('put off, it asks the next in line, and the third is told to take it', () => {
  const [first, second, third] = ABROAD
  // So few that each of them has room for what the others put off.
  const { node, wants } = fed(ABROAD, 12)
  for (const { to, digest, failed } of wants) expect([to, failed]).toEqual([inLine(digest, 0), false])
  const putOff = (by: readonly Want[], of: PeerId | undefined): Want[] =>
    by.filter(({ to }) => to === of).flatMap(({ id }) => node.answer(id, BUSY))
  const again = putOff(wants, first)
  expect(again.map(({ to, failed }) => [to, failed])).toEqual(
    again.map(({ digest }) => [inLine(digest, 1), false]),
  )
  const last = putOff([...wants, ...again], second)
  expect(toOf(last)).toEqual(new Set([third]))
  expect(last.map(({ failed }) => failed)).toEqual(last.map(({ digest }) => inLine(digest, 2) === third))
  expect(last.some(({ failed }) => failed)).toBe(true)
})

test('where all there are only busy it waits for one of them, and asks no seed', () => {
  const { node, wants } = fed(ABROAD.slice(0, 2))
  const all = [...wants]
  const later: Want[] = []
  for (let want = all.shift(); want !== undefined; want = all.shift()) {
    const next = node.answer(want.id, BUSY)
    later.push(...next)
    all.push(...next)
  }
  expect(toOf([...wants, ...later])).toEqual(new Set(ABROAD.slice(0, 2)))
  expect(node.tick(2 * BUSY.retryAfterMs).length).toBeGreaterThan(0)
})

test('one that is put off with all it asked for counts on that gateway as before', () => {
  const { node, wants } = fed(ABROAD.slice(0, 1))
  expect(wants).toHaveLength(LIMITS.maxWantsPerSeed)
  for (const { id } of wants) expect(node.answer(id, BUSY)).toEqual([])
  const again = node.tick(2 * BUSY.retryAfterMs)
  expect(toOf(again)).toEqual(new Set(ABROAD.slice(0, 1)))
})

/** What is asked for in the end where each gateway says its word to whatever is asked of it. */
function after(
  word: (to: PeerId, want: Want) => BlocksReply,
  { node, wants } = fed(ABROAD, 12),
): readonly Want[] {
  const open = [...wants]
  const asked: Want[] = []
  for (let want = open.shift(); want !== undefined && asked.length < 200; want = open.shift()) {
    asked.push(want)
    if (want.to !== SEED) open.push(...node.answer(want.id, word(want.to, want)))
  }
  return asked
}

test('where two in line lack it the seed is asked, be a third too busy or not', () => {
  for (const busy of [...ABROAD, undefined]) {
    const asked = after((to) => (to === busy ? BUSY : { type: 'gone' }))
    expect(new Set(asked.filter(({ to }) => to === SEED).map(({ digest }) => digest)).size).toBe(
      LIMITS.maxWantsPerSeed,
    )
  }
})

test('nor is one waited for that would be left alone for longer than an honest one asks for', () => {
  const [one] = ABROAD
  const only = () => fed([one as PeerId], 12)
  expect(toOf(after(() => ({ type: 'busy', retryAfterMs: 10_000 }), only()))).toEqual(new Set([one, SEED]))
  expect(toOf(after(() => BUSY, only()))).toEqual(new Set([one]))
})

test('nor longer than until nothing has come for a while', () => {
  const [one] = ABROAD
  const { node, wants } = fed([one as PeerId], 12)
  let open = wants
  for (let ms = 0; ms < LIMITS.rescueMs - 50; ms += 50) {
    expect(open.filter(({ to }) => to === SEED)).toEqual([])
    open = [...open.flatMap(({ id }) => node.answer(id, BUSY)), ...node.tick(50)]
  }
  for (let ms = 0; ms < 100; ms += 50)
    open = [...open.flatMap(({ id }) => node.answer(id, BUSY)), ...node.tick(50)]
  expect(toOf(open)).toEqual(new Set([SEED]))
})

test('nor for ever two that lack it in turn, each while the other may be asked again', () => {
  const { node, wants } = fed(ABROAD.slice(0, 2), 2)
  let open = wants.map((want) => ({ want, dueMs: 300 }))
  const asked: Want[] = []
  for (let ms = 0; ms < 3_000; ms += 10) {
    const due = open.filter(({ dueMs }) => dueMs <= ms)
    open = open.filter((one) => !due.includes(one))
    const next = [...due.flatMap(({ want }) => node.answer(want.id, { type: 'gone' })), ...node.tick(10)]
    asked.push(...next)
    open.push(...next.map((want) => ({ want, dueMs: ms + 300 })))
  }
  expect(toOf(asked)).toEqual(new Set([...ABROAD.slice(0, 2), SEED]))
})

test('where blocks take long over the border, one that is busy is waited for as much longer', () => {
  const [one] = ABROAD
  const { node, wants } = fed([one as PeerId], 12)
  let open = [...wants, ...node.tick(700)].filter(({ to }) => to === one)
  open = [...open.slice(4), ...open.slice(0, 4).flatMap(node.give)]
  for (let ms = 0; ms < 2 * LIMITS.rescueMs; ms += 50) {
    open = [...open.flatMap(({ id }) => node.answer(id, BUSY)), ...node.tick(50)]
    // by entry: a rescue is for a block or two
    expect(open.filter(({ to }) => to === SEED).length).toBeLessThan(3)
  }
})

test('that one lacked something long ago is no reason not to wait for it when it is busy', () => {
  const { node, wants } = fed(ABROAD, 40)
  const [first, second] = ABROAD
  const isOf = (one: PeerId | undefined) => (want: Want) => want.to === one
  // Each lacks one, and gives the rest of what it was asked for then.
  const said = [first, second].flatMap((one) => {
    const [lacked, ...given] = wants.filter(isOf(one))
    if (lacked === undefined) throw new Error('each gateway brings in some')
    return [...given.flatMap(node.give), ...node.answer(lacked.id, { type: 'gone' })]
  })
  const rest = [...wants.filter(isOf(ABROAD[2])), ...said, ...node.tick(4 * LIMITS.avoidPeerMs)]
  const [given, ...others] = rest.filter(({ to }) => to !== SEED)
  const left = [...others, ...node.give(given as Want)]
  const asked = after(() => BUSY, { node, wants: left })
  expect(asked.length).toBeGreaterThan(left.length)
  expect(asked.filter(isOf(SEED))).toEqual([])
})

test('what it brought in is owed to the other gateways, what a neighbour gave is not', () => {
  const { node, wants } = fed()
  for (const want of wants) node.give(want)
  expect(wants.filter(({ digest }) => !node.duty.isToHandOn(digest))).toEqual([])
  const beside = fetcher({ gateways: [OTHER], seeds: [], blocks: 40 })
  for (const want of beside.announce(OTHER, [0])) beside.give(want)
  const near = beside.announce(OTHER, [1, 2, 3])
  for (const want of near) beside.give(want)
  expect(near.filter(({ digest }) => beside.duty.isToHandOn(digest))).toEqual([])
  expect(near).not.toEqual([])
})

test('what other regions wait for here it has from neighbours first', () => {
  const node = fetcher({ gateways: [OTHER], seeds: [], blocks: 40, random: () => 0.5 })
  const page = node.announce(OTHER, [0])
  for (const want of page) node.give(want)
  const awaited = node.digests[33] as Digest
  node.duty.awaited = [awaited]
  const all = Array.from({ length: 41 }, (_, at) => at)
  expect(node.announce(OTHER, all).map(({ digest }) => digest)).toEqual([awaited])
})

const NEIGHBOURS = Array.from({ length: 30 }, (_, at) => peer(`near ${at}`))

/**
 * Each neighbour has all that others bring in; what it asks them for comes at once.
 * @returns how much of it was under way at most
 */
function mostUnderWay({ gateways = [SELF, OTHER], holders = NEIGHBOURS, blocks = 60 } = {}): number {
  const node = fetcher({ neighbours: NEIGHBOURS, gateways, blocks })
  for (const page of node.started.length > 0 ? node.started : node.announce(OTHER, [0])) node.give(page)
  // 1 is the page
  const places = node.digests.flatMap((digest, at) => (node.others.includes(digest) ? [at + 1] : []))
  const isNear = ({ to }: Want): boolean => NEIGHBOURS.includes(to)
  const open = holders.flatMap((one) => node.announce(one, places)).filter(isNear)
  let most = open.length
  for (let want = open.shift(); want !== undefined; want = open.shift()) {
    open.push(...node.give(want).filter(isNear))
    most = Math.max(most, open.length)
  }
  return most
}

test('while it lacks blocks that it is to bring in, it asks neighbours for few at once', () => {
  expect(mostUnderWay()).toBeLessThanOrEqual(LIMITS.maxWantsPerSeed)
  expect(mostUnderWay({ gateways: [OTHER] })).toBeGreaterThan(LIMITS.maxWantsPerSeed)
})

test('nor does that keep what other regions wait for here, or its own part, from who has it alone', () => {
  for (const part of ['awaited', 'own'] as const) {
    const node = fetcher({ neighbours: NEIGHBOURS, gateways: [SELF, OTHER], blocks: 60 })
    for (const page of node.started.length > 0 ? node.started : node.announce(OTHER, [0])) node.give(page)
    const places = node.digests.flatMap((digest, at) => (node.others.includes(digest) ? [at + 1] : []))
    // All but one have come or are under way, as many as may be.
    const open = NEIGHBOURS.flatMap((one) => node.announce(one, places.slice(1)))
    for (let given = 0; open.length < LIMITS.maxWantsPerSeed; given += 1) {
      if (given > 40) throw new Error('so many are never under way')
      open.push(...node.give(open.shift() as Want))
    }
    const [last] = node.others
    if (part === 'awaited') node.duty.awaited = [last as Digest]
    const own = node.digests.indexOf(node.own[0] as Digest) + 1
    const told = node.announce(OTHER, part === 'awaited' ? places.slice(0, 1) : [own])
    expect(told.filter(({ to }) => to === OTHER).map(({ digest }) => digest)).toEqual(
      part === 'awaited' ? [last] : [],
    )
  }
})
