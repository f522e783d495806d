/** What nobody brings in: a node that is no gateway, of a release of twenty blocks of which the gateway brings none. */
import { expect, test } from 'vitest'
import { Rescue } from '../../../src/core/fetch/rescue.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, type Want } from './fetcher.ts'

type Fetcher = ReturnType<typeof fetcher>
const NEAR = peer('near')

/** So long a border does not answer. */
const BROKEN_MS = 60_000

/** Evenly spread draws, the same each time. */
function draws(): () => number {
  let at = 0
  return () => {
    at += 1
    return (at * 0.618) % 1
  }
}

/** The page is read; then time passes without a block until something is asked for. */
function stuck(options: Parameters<typeof fetcher>[0] = {}): { node: Fetcher; first: Want } {
  const node = fetcher({
    self: peer('nobody'),
    gateways: [OTHER],
    neighbours: [NEAR],
    blocks: 40,
    random: draws(),
    ...options,
  })
  for (const page of node.announce(NEAR, [0])) node.give(page)
  for (let ms = 0; ms < 3_000; ms += 50) {
    const [first] = [...node.tick(50), ...node.noted()]
    if (first !== undefined) return { node, first }
  }
  throw new Error('nothing is asked for')
}

test('a seed near that gives it is asked on as blocks come, for one more each time, up to what a seed may be asked for', () => {
  const { node, first } = stuck()
  expect(first).toMatchObject({ to: SEED, failed: false })
  const open = [first]
  const underWay: number[] = []
  for (let want = open.shift(); want !== undefined; want = open.shift()) {
    open.push(...node.give(want))
    underWay.push(open.length)
  }
  expect(underWay.slice(0, 9)).toEqual([2, 3, 4, 5, 6, 7, 8, 8, 8])
  expect(Math.max(...underWay)).toBe(LIMITS.maxWantsPerSeed)
  // all forty of them, and no time has passed
  expect(underWay).toHaveLength(40)
})

test('where it sends this node on instead somebody brings it in: no more is asked for, nor is it told that this was in vain', () => {
  const { node, first } = stuck()
  const open = [first]
  for (let given = 0; given < 3; given += 1) open.push(...node.give(open.shift() as Want))
  expect(open).toHaveLength(4)
  const redirect = { type: 'redirect', peer: NEAR, addresses: [] } as const
  for (const { id } of open) expect(node.answer(id, redirect)).toEqual([])
  const later = Array.from({ length: 40 }, () => [...node.tick(50), ...node.noted()]).flat()
  expect(later.length).toBeGreaterThan(0)
  expect(later.filter(({ failed }) => failed)).toEqual([])
})

test('while a gateway brings some of it in the seed is asked for a block now and then only', () => {
  const { node, first } = stuck()
  for (const want of node.announce(OTHER, [5])) node.give(want)
  expect(node.give(first)).toEqual([])
})

test('a seed over the border is asked for a block now and then only: fetchers alone bring content into a region', () => {
  const { node, first } = stuck({ seedRegion: 'us' })
  expect(first).toMatchObject({ to: SEED })
  expect(node.give(first)).toEqual([])
  expect(node.tick(LIMITS.rescueMs / 2)).toEqual([])
})

interface Question {
  readonly want: Want
  readonly ms: number
}

/**
 * Questions to a far seed within a minute, and the ms after which each was asked.
 * @param answer undefined: not yet
 */
function farRescues(
  answer: (node: Fetcher, asked: Question, ms: number) => Want[] | undefined = () => undefined,
  untilMs = BROKEN_MS,
): Question[] {
  const { node, first } = stuck({ seedRegion: 'us', seeds: [SEED], random: () => 0.5 })
  const asked = [{ want: first, ms: 0 }]
  let open = [...asked]
  for (let ms = 50; ms <= untilMs; ms += 50) {
    const answers: Want[] = []
    open = open.filter((one) => {
      const next = answer(node, one, ms)
      answers.push(...(next ?? []))
      return next === undefined
    })
    for (const want of [...answers, ...node.tick(50), ...node.noted()]) {
      asked.push({ want, ms })
      open.push({ want, ms })
    }
  }
  return asked
}

test('over a border that does not answer it asks for one at a time, and each time after twice as long', () => {
  const times = farRescues().map(({ ms }) => ms)
  const gaps = times.slice(1).map((ms, at) => ms - (times[at] as number))
  for (const [at, ms] of gaps.entries()) expect(ms).toBeGreaterThanOrEqual(LIMITS.rescueMs * 2 ** at)
  expect(gaps.length).toBeGreaterThanOrEqual(4)
})

test('once it answers again, after a minute, the next is asked for as soon as at first', () => {
  const answered: number[] = []
  const asked = farRescues((node, { want, ms: askedMs }, ms) => {
    if (want.to !== SEED) return node.answer(want.id, { type: 'busy', retryAfterMs: LIMITS.blockDeadlineMs })
    if (ms - askedMs === LIMITS.blockDeadlineMs) return node.timedOut(want.id)
    if (askedMs < BROKEN_MS) return undefined
    answered.push(ms)
    return node.give(want)
  }, 2 * BROKEN_MS)
  const [first, second] = answered as [number, number]
  expect(asked.filter(({ ms }) => ms < BROKEN_MS).length).toBeGreaterThan(4)
  expect(second - first).toBeLessThanOrEqual(2 * LIMITS.rescueMs)
})

test('one that answers that it has nothing is asked for more and more', () => {
  const asked = farRescues((node, { want }) => node.answer(want.id, { type: 'gone' }))
  const times = [...new Set(asked.map(({ ms }) => ms))]
  expect(asked.length).toBeGreaterThan(2 * times.length)
})

test('a far seed that sends this node on says nothing of how blocks come: it is asked for one at a time, and ever later', () => {
  const sentOn = farRescues((node, { want }) =>
    node.answer(want.id, { type: 'redirect', peer: NEAR, addresses: [] }),
  ).map(({ ms }) => ms)
  expect(sentOn.length).toBeGreaterThan(3)
  expect(new Set(sentOn).size).toBe(sentOn.length)
})

test('after a pause over the border the far seed is asked anew soon, though a go fell into it', () => {
  const { node, first } = stuck({ seedRegion: 'us', random: () => 0.99 })
  const asked = [{ want: first, ms: 0 }]
  for (let ms = 50; ms <= 400_000; ms += 50) {
    const late = asked.filter((one) => one.want.to === SEED && ms === one.ms + LIMITS.blockDeadlineMs)
    const again = late.flatMap(({ want }) => node.timedOut(want.id, true))
    for (const want of [...again, ...node.tick(50), ...node.noted()]) {
      asked.push({ want, ms })
      if (want.to !== SEED) node.answer(want.id, { type: 'busy', retryAfterMs: 10_000 })
    }
  }
  const times = asked.filter(({ want }) => want.to === SEED).map(({ ms }) => ms)
  const gaps = times.slice(1).map((ms, at) => ms - (times[at] as number))
  expect(Math.max(...gaps)).toBeLessThan(5 * LIMITS.blockDeadlineMs + 2 * LIMITS.rescueMs)
  expect(gaps.length).toBeGreaterThan(7)
})

test('a go at which the question before stands over the border is no go: the next follows soon, and not twice as late', () => {
  const rescue = new Rescue(0, LIMITS)
  rescue.begin()
  rescue.asked(true)
  for (let monoMs = 500; monoMs < 50_000; monoMs += 500) {
    expect(rescue.isDue(monoMs)).toBe(true)
    rescue.postpone(monoMs, 0.5)
    expect(rescue.begin()).toBe(1)
    rescue.wasInVain(monoMs, 0.5)
  }
  rescue.postpone(50_000, 0.5)
  expect([rescue.isDue(50_999), rescue.isDue(51_000)]).toEqual([false, true])
})

test.each([
  ['an answer in time ends the wait', false, LIMITS.rescueMs],
  ['a late one, as over a slow border, does not end the wait', true, 8 * LIMITS.rescueMs],
])('%s for a go that was put off since nothing had been answered', (_, silent, waitMs) => {
  const rescue = new Rescue(0, LIMITS)
  for (let goes = 0; goes < 3; goes += 1) {
    rescue.asked(true)
    rescue.begin()
  }
  rescue.postpone(1_000, 0.5)
  rescue.ended('block', { failed: false, silent }, 1_000)
  expect([rescue.isDue(999 + waitMs), rescue.isDue(1_000 + waitMs)]).toEqual([false, true])
})

test('of neighbours that wait side by side two ask over a border in one go, on average, which is drawn once a go', () => {
  const rescue = new Rescue(0, LIMITS)
  const crosses = (draw: number) => rescue.crosses(20, () => draw)
  rescue.begin()
  expect([crosses(0.1), crosses(0)]).toEqual([false, false])
  rescue.begin()
  expect([crosses(0.09), crosses(0.99)]).toEqual([true, true])
})

test.each([
  ['was answered in time', 'block', false, true],
  ['was answered late', 'block', true, false],
  ['was not answered at all', undefined, true, false],
] as const)(
  'a border that once was quick and last %s is asked by each node: %s, %s, %s',
  (_, said, silent, isAsked) => {
    const rescue = new Rescue(0, LIMITS)
    for (const [last, late] of [['block', false] as const, [said, silent] as const]) {
      rescue.asked(true)
      rescue.ended(last, { failed: false, silent: late }, 1_000)
    }
    rescue.begin()
    expect(rescue.crosses(20, () => 0.5)).toBe(isAsked)
  },
)

test('a go that was for others to ask over a border that does not answer is a go: the next is twice as late', () => {
  const rescue = new Rescue(0, LIMITS)
  rescue.asked(true)
  for (let goes = 0; goes < 3; goes += 1) {
    rescue.postpone(1_000, 0.5)
    rescue.begin()
    rescue.crosses(20, () => 0.5)
    rescue.wasInVain(1_000, 0.5)
  }
  rescue.postpone(1_000, 0.5)
  expect([rescue.isDue(999 + 8 * LIMITS.rescueMs), rescue.isDue(1_000 + 8 * LIMITS.rescueMs)]).toEqual([
    false,
    true,
  ])
})

/** Of those that were asked what they have. */
const ANSWERS = {
  none: () => [],
  'none can and none': (node: Fetcher) => node.failed(),
  all: (node: Fetcher) => node.noted(),
}

test.each([
  ['all of them ask', 'none', true, 0.99],
  ['all of them ask', 'none can and none', true, 0.99],
  ['they are drawn', 'all', false, 0.99],
  ['they are drawn', 'all', true, 0.09],
] as const)(
  'of twenty neighbours over a border %s where %s of the others answer: %s at a draw of %d',
  (_, which, isAsked, draw) => {
    const neighbours = Array.from({ length: 19 }, (_, at) => peer(`near ${at}`))
    const options = {
      self: peer('nobody'),
      gateways: [OTHER],
      neighbours,
      seedRegion: 'us',
      random: () => draw,
    }
    const node = fetcher({ blocks: 1, ...options })
    for (const page of node.announce(peer('near 0'), [0])) node.give(page)
    const wants: Want[] = []
    for (let ms = 0; ms < 10_000; ms += 50) wants.push(...node.tick(50), ...ANSWERS[which](node))
    expect(wants.some(({ to }) => to === SEED)).toBe(isAsked)
  },
)

test('a node that was not drawn six times running asks over the border for one block, as its neighbours may not reach it', () => {
  const rescue = new Rescue(0, LIMITS)
  const go = () => {
    rescue.begin()
    return [rescue.crosses(20, () => 0.5), rescue.crosses(20, () => 0.5)]
  }
  const others = [false, false]
  const goes = (many: number) => Array.from({ length: many }, go)
  expect(goes(8)).toEqual([...Array(6).fill(others), [true, false], others])
  goes(5)
  rescue.onBlock()
  expect(goes(7)).toEqual([...Array(6).fill(others), [true, false]])
})

test('of twenty neighbours that leave it to one another each asks over the border for one block within half a minute', () => {
  const neighbours = Array.from({ length: 19 }, (_, at) => peer(`near ${at}`))
  const node = fetcher({
    ...{ self: peer('nobody'), gateways: [OTHER], neighbours, seedRegion: 'us', random: () => 0.99 },
  })
  for (const page of node.announce(peer('near 0'), [0])) node.give(page)
  const wants: Want[] = []
  for (let ms = 0; ms < 35_000; ms += 50) wants.push(...node.tick(50), ...node.noted())
  expect(wants.filter(({ to }) => to === SEED)).toHaveLength(1)
})
