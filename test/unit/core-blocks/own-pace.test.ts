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
function begun(blocks = BLOCKS) {
  const node = fetcher({ blocks })
  const open = node.started.length > 0 ? node.started : node.announce(OTHER, [0])
  const first = open.flatMap(node.give)
  return { ...node, first, part: Math.ceil(node.own.length / 8) }
}

/** @returns what is asked for meanwhile */
function pass(tick: (ms: number) => Want[], untilMs: number): Want[] {
  const wants: Want[] = []
  for (let ms = 0; ms < untilMs; ms += 50) wants.push(...tick(Math.min(50, untilMs - ms)))
  return wants
}

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

  test('or, without a neighbour here that stores the channel, for as much as one may ask a seed for', () => {
    const { started, left, keep, joined } = fetcher({ gateways: [SELF], blocks: 16 })
    expect(left(OTHER)).toEqual([])
    expect(joined(peer('of others'), 'eu', { submit: false, patterns: ['other/**' as Pattern] })).toEqual([])
    expect(ofSeed(started.flatMap(keep))).toHaveLength(LIMITS.maxWantsPerSeed)
  })

  test('where nobody takes any for two seconds for as much as one may ask a seed for', () => {
    const { first, keep, tick, handOn } = begun()
    first.map(keep)
    const early = pass(tick, IN_VAIN_MS - 1)
    // what comes to nothing for long is asked for by the rescue, one more each time
    expect(ofSeed(early).length).toBeLessThan(LIMITS.maxWantsPerSeed)
    const late = [...tick(1), ...tick(50)]
    expect(ofSeed([...early, ...late])).toHaveLength(LIMITS.maxWantsPerSeed)
    // and once somebody takes one all is as before
    const [one, ...others] = ofSeed([...early, ...late]) as [Want, ...Want[]]
    const more = keep(one)
    expect(ofSeed(more)).toHaveLength(1)
    expect(handOn(one.digest)).toEqual([])
    expect(ofSeed([...others, ...more].flatMap(keep))).toEqual([])
  })
})

describe('neighbours that speak of the release', () => {
  const asking = { own: 8, underWay: 0 }
  const nobody = () => false

  test('are waited for, for ten seconds', () => {
    const pace = new OwnPace<string>(IN_VAIN_MS)
    for (const block of ['a']) pace.brought(block, 0)
    for (let now = 0; now < 5 * IN_VAIN_MS; now += IN_VAIN_MS / 2) {
      pace.heard(now)
      expect(pace.mayAsk({ ...asking, now }, nobody)).toBe(false)
    }
    expect(pace.mayAsk({ ...asking, now: 5 * IN_VAIN_MS }, nobody)).toBe(true)
  })

  test('and anew from the last block that one of them took', () => {
    const pace = new OwnPace<string>(IN_VAIN_MS)
    for (const block of ['a', 'c']) pace.brought(block, 0)
    pace.taken('c', IN_VAIN_MS)
    expect(pace.mayAsk({ ...asking, now: 2 * IN_VAIN_MS - 1 }, nobody)).toBe(false)
    expect(pace.mayAsk({ ...asking, now: 2 * IN_VAIN_MS }, nobody)).toBe(true)
  })

  test('an announcement or a question of theirs counts', () => {
    const { first, keep, tick, announce, asked } = begun()
    first.map(keep)
    expect(ofSeed(pass(tick, IN_VAIN_MS - 1)).length).toBeLessThan(LIMITS.maxWantsPerSeed)
    announce(OTHER, [])
    asked.length = 0
    expect(ofSeed(pass(tick, IN_VAIN_MS - 1)).length).toBeLessThan(LIMITS.maxWantsPerSeed)
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
      for (const block of [0, 1]) pace.taken(block, 0)
      expect([1, 2].map((underWay) => pace.mayAsk(asking(underWay, own), nobody))).toEqual([most > 1, false])
    }
  })

  test('is remembered of the last few alone where nobody takes any', () => {
    const pace = new OwnPace<number>(IN_VAIN_MS)
    for (const block of [0]) pace.brought(block, 0)
    expect(pace.mayAsk(asking(0, 8, IN_VAIN_MS - 1), nobody)).toBe(false)
    expect(pace.mayAsk(asking(0, 8, IN_VAIN_MS), nobody)).toBe(true)
    for (let block = 2; block < 1_000; block += 1) pace.brought(block, IN_VAIN_MS)
    expect(pace.taken(0, IN_VAIN_MS)).toBe(false)
    expect(pace.mayAsk(asking(64, 8, IN_VAIN_MS), nobody)).toBe(true)
    pace.taken(999, IN_VAIN_MS)
    expect(pace.mayAsk(asking(0, 8, IN_VAIN_MS), nobody)).toBe(false)
  })
})
