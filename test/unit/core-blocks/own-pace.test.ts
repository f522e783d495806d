/** How much of its own part a fetcher asks the seed for while others have yet to get what it brought in. */
import { describe, expect, test } from 'vitest'
import { IN_VAIN_MS, OwnPace } from '../../../src/core/fetch/own-pace.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

/** Two gateways: the half of them are its own. */
const BLOCKS = 64

/** The manifest is read: what it asks the seed for first. */
function begun(blocks = BLOCKS, gateways = [SELF, OTHER]) {
  const node = fetcher({ blocks, gateways })
  const open = node.started.length > 0 ? node.started : node.announce(OTHER, [0])
  const first = open.flatMap(node.give)
  return { ...node, first, part: Math.ceil(node.own.length / 8) }
}

type Node = ReturnType<typeof begun>

/** @returns what is asked for meanwhile */
const pass = (tick: (ms: number) => Want[], ms: number): Want[] =>
  Array.from({ length: ms / 50 }, () => tick(50)).flat()

const ofSeed = (wants: readonly Want[]): Want[] => wants.filter(({ to }) => to === SEED)

describe('a fetcher asks the seed for an eighth of its own part', () => {
  test('at first, and for no more while it alone has what came', () => {
    const { first, part, keep, own } = begun()
    expect(part).toBeGreaterThan(2)
    expect(ofSeed(first).map(({ digest }) => digest)).toHaveLength(part)
    for (const { digest } of first) expect(own).toContain(digest)
    expect(first.flatMap(keep)).toEqual([])
  })

  test('for one more with each that leaves for another node', () => {
    const { first, part, keep, handOn, own } = begun()
    first.map(keep)
    const more = first.flatMap(({ digest }) => handOn(digest))
    expect(ofSeed(more)).toHaveLength(part)
    for (const { digest } of more) expect(own).toContain(digest)
    expect(more.flatMap(keep)).toEqual([])
    // a second copy of the same makes no room
    expect(first.flatMap(({ digest }) => handOn(digest))).toEqual([])
  })

  test('and with each that another says it has', () => {
    const { first, keep, announce, digests } = begun()
    first.map(keep)
    const places = first.slice(0, 2).map(({ digest }) => digests.indexOf(digest) + 1)
    expect(ofSeed(announce(OTHER, places))).toHaveLength(2)
  })

  test('one at least, however small its part', () => {
    const { first, own } = begun(LIMITS.fewBlocks + 2)
    expect(own.length).toBeGreaterThan(2)
    expect(ofSeed(first)).toHaveLength(1)
  })

  test('of few blocks for all at once: every round trip counts', () => {
    const { first, own } = begun(LIMITS.fewBlocks - 1)
    expect(own.length).toBeGreaterThan(2)
    expect(ofSeed(first)).toHaveLength(own.length)
  })

  test('whatever is under way of another release', () => {
    const { first, part, another } = begun(36)
    expect(ofSeed(first)).toHaveLength(part)
    const { own, wants } = another()
    // the page may be its own, too
    expect(own.length % 8).toBeGreaterThan(0)
    expect(part + Math.ceil(own.length / 8)).toBeLessThanOrEqual(LIMITS.maxWantsPerSeed)
    expect(ofSeed(wants)).toHaveLength(Math.ceil(own.length / 8))
  })

  test('or, without a neighbour here that stores the channel, for as much as one may ask a seed for', () => {
    const { started, left, keep, joined } = fetcher({ gateways: [SELF], blocks: 16 })
    expect(left(OTHER)).toEqual([])
    expect(joined(peer('of others'), 'eu', { submit: false, patterns: ['other/**' as Pattern] })).toEqual([])
    expect(ofSeed(started.flatMap(keep))).toHaveLength(LIMITS.maxWantsPerSeed)
  })

  test('for as much as one may ask a seed for where it has had one alone for five seconds', () => {
    const { first, part, keep, tick, handOn, spoke } = begun(100)
    const kept = [...first]
    first.map(keep)
    for (let ms = 0; ms < IN_VAIN_MS - 1; ms += 50)
      for (const want of tick(Math.min(50, IN_VAIN_MS - 1 - ms))) {
        // what comes to nothing for long is asked for by the rescue, which is answered here
        kept.push(want)
        expect(ofSeed(keep(want))).toEqual([])
      }
    expect(kept.length).toBeLessThanOrEqual(part + IN_VAIN_MS / LIMITS.rescueMs)
    const atOnce = [...tick(1), ...tick(50)]
    expect(ofSeed(atOnce)).toHaveLength(LIMITS.maxWantsPerSeed)
    // one that is slow is waited for no more than one that takes nothing
    const more = atOnce.flatMap((want) => [...keep(want), ...handOn(kept.pop()?.digest ?? want.digest)])
    expect(ofSeed(more)).toHaveLength(LIMITS.maxWantsPerSeed)
    // until neighbours have asked for them, and caught up
    spoke(OTHER, true)
    const last = more.flatMap((want) => [...keep(want), ...handOn(want.digest)])
    for (const { digest } of [...first, ...kept, ...atOnce, ...last]) handOn(digest)
    expect(ofSeed(last.slice(part).flatMap(keep))).toEqual([])
  })

  describe('of the next release', () => {
    /** It has had one of the last alone for five seconds, and by now all of it. */
    const untaken = (meanwhile: (node: Node) => void = () => {}) => {
      const node = begun(18, [SELF])
      const keepAll = (wants: readonly Want[]): void => {
        for (const open = [...wants]; open.length > 0; ) open.push(...node.keep(open.shift() as Want))
      }
      keepAll(node.first)
      for (let ms = 0; ms <= IN_VAIN_MS; ms += 50) {
        if (ms === IN_VAIN_MS / 2) meanwhile(node)
        keepAll(node.tick(50))
      }
      for (const digest of node.own) expect(node.has(digest)).toBe(true)
      return node
    }
    const next = (node: Node) => {
      const { own, wants } = node.another(undefined, false)
      return { asked: ofSeed(wants), part: Math.ceil(own.length / 8) }
    }

    test('for as much as one may ask a seed for, where its neighbours took none, whatever else they ask', () => {
      const node = untaken(({ spoke }) => spoke(OTHER))
      node.spoke(OTHER)
      const { asked, part } = next(node)
      expect(part).toBeLessThan(LIMITS.maxWantsPerSeed)
      expect(asked).toHaveLength(LIMITS.maxWantsPerSeed)
    })

    test('for that part again once one of them takes or announces any, or where one did meanwhile', () => {
      const [takes, announces] = [untaken(), untaken()]
      takes.spoke(OTHER, true)
      announces.announce(OTHER, [1])
      const did = [
        untaken(({ spoke }) => spoke(OTHER, true)),
        untaken(({ announce }) => announce(OTHER, [0])),
      ]
      for (const one of [takes, announces, ...did]) {
        const { asked, part } = next(one)
        expect(asked).toHaveLength(part)
      }
    })

    test('and where one was linked a moment ago', () => {
      const node = untaken(({ joined }) => joined(peer('newcomer'), 'eu', { submit: false }))
      const { asked, part } = next(node)
      expect(asked).toHaveLength(part)
    })
  })

  test('without what is lost again: it is asked for anew', () => {
    const { first, keep, lost } = begun(LIMITS.fewBlocks + 2)
    const [one] = first as [Want]
    expect(keep(one)).toEqual([])
    expect(lost(one.digest)).toEqual([expect.objectContaining({ to: SEED })])
  })

  test('without what comes a second time, of a seed that was late: others have it since', () => {
    const SECOND = peer('second seed')
    const { first, joined, tick, give, keep } = begun(LIMITS.fewBlocks + 2)
    const [late] = first as [Want]
    joined(SECOND)
    const again = pass(tick, LIMITS.blockSilenceMs + 50).filter(({ digest }) => digest === late.digest)
    expect(again).toMatchObject([{ to: SECOND }])
    const next = again.flatMap(give)
    expect(next).toHaveLength(1)
    keep(late)
    expect(next.flatMap(give)).toHaveLength(1)
  })
})

describe('what is known to be with this node alone', () => {
  const asking = (underWay: number, own: number, now = 0) => ({ underWay, own, now })
  const nobody = () => false

  test('is one block in eight of its part at most, those under way among them, and sixty-four of the largest', () => {
    for (const [own, most] of [
      [1, 1],
      [8, 1],
      [9, 2],
      [400, 50],
      [1_000_000, 64],
    ] as const) {
      const pace = new OwnPace<number>(IN_VAIN_MS)
      let brought = 0
      while (pace.mayAsk(asking(0, own), nobody)) pace.brought(brought++, 0)
      expect(brought).toBe(most)
      for (const block of [0, 1]) pace.taken(block)
      expect([1, 2].map((underWay) => pace.mayAsk(asking(underWay, own), nobody))).toEqual([most > 1, false])
    }
  })

  test('is remembered of the last few alone once one is with it for long, until all of these are taken', () => {
    const pace = new OwnPace<number>(IN_VAIN_MS)
    pace.brought(0, 0)
    expect(pace.mayAsk(asking(0, 8, IN_VAIN_MS - 1), nobody)).toBe(false)
    expect(pace.mayAsk(asking(0, 8, IN_VAIN_MS), nobody)).toBe(true)
    for (let block = 1; block < 1_000; block += 1) pace.brought(block, IN_VAIN_MS)
    expect(pace.taken(0)).toBe(false)
    for (let block = 992; block < 999; block += 1) pace.taken(block)
    expect(pace.mayAsk(asking(64, 8, IN_VAIN_MS), nobody)).toBe(true)
    pace.taken(999)
    expect(pace.mayAsk(asking(64, 8, IN_VAIN_MS), nobody)).toBe(false)
  })

  test('and no more of them however much was with it alone before', () => {
    const pace = new OwnPace<number>(IN_VAIN_MS)
    for (let block = 0; block < 64; block += 1) pace.brought(block, 0)
    expect(pace.mayAsk(asking(64, 4_000, IN_VAIN_MS), nobody)).toBe(true)
    for (let block = 64; block < 72; block += 1) pace.brought(block, IN_VAIN_MS)
    for (let block = 64; block < 71; block += 1) pace.taken(block)
    expect(pace.mayAsk(asking(64, 4_000, IN_VAIN_MS), nobody)).toBe(true)
    pace.taken(71)
    expect(pace.mayAsk(asking(64, 4_000, IN_VAIN_MS), nobody)).toBe(false)
  })

  test('does not hold back for ever where one takes it more slowly than it comes', () => {
    const pace = new OwnPace<number>(IN_VAIN_MS)
    let next = 0
    const ask = (now: number): number => {
      const from = next
      while (next - from < 1_000 && pace.mayAsk(asking(0, 4_000, now), nobody)) pace.brought(next++, now)
      return next - from
    }
    expect(ask(0)).toBe(64)
    // the latest first: the oldest waits
    for (let now = 1_000; now < IN_VAIN_MS; now += 1_000) {
      pace.taken(next - 1)
      expect(ask(now)).toBe(1)
    }
    expect(ask(IN_VAIN_MS)).toBe(1_000)
    pace.taken(next - 1)
    expect(ask(2 * IN_VAIN_MS)).toBe(1_000)
  })
})
