/** A region with a seed of its own, and links to one of another region: what the far one gives crosses the border. */
import { expect, test } from 'vitest'
import { MAX_LACKED, Sources } from '../../../src/core/fetch/sources.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, SEED, SELF, type Want } from './fetcher.ts'

type Fetcher = ReturnType<typeof fetcher>
const FAR = peer('far seed')
/** What a gateway that is to bring it in asks for, and no rescue for a block or two. */
const ALL = Array(LIMITS.maxWantsPerSeed).fill(FAR)
const STEP_MS = 10

/** The only gateway; the page has come, and is followed by this. */
function between(): { node: Fetcher; wants: Want[] } {
  const node = fetcher({ gateways: [SELF], seeds: [SEED], blocks: 64 })
  expect(node.joined(FAR, 'us')).toEqual([])
  return { node, wants: node.started.flatMap((page) => node.give(page)) }
}

function pass(node: Fetcher, ms: number): Want[] {
  return Array.from({ length: ms / STEP_MS }, () => node.tick(STEP_MS)).flat()
}

const to = (wants: readonly Want[], whom: typeof SEED): Want[] => wants.filter((want) => want.to === whom)

test('all is asked of the seed near, though it may be asked for no more now', () => {
  const { node, wants } = between()
  const asked = Array(LIMITS.maxWantsPerSeed).fill(SEED)
  expect(wants.map((want) => want.to)).toEqual(asked)
  const next = wants.flatMap((want) => node.give(want))
  expect(next.map((want) => want.to)).toEqual(asked)
})

test('however often it is busy', () => {
  const { node, wants } = between()
  let open = wants
  for (let ms = 0; ms < LIMITS.rescueMs - STEP_MS; ms += STEP_MS) {
    const again = open.flatMap(({ id }) =>
      node.answer(id, { type: 'busy', retryAfterMs: LIMITS.busyRetryMs }),
    )
    open = [...again, ...node.tick(STEP_MS)]
    expect(to(open, FAR)).toEqual([])
  }
})

test.each([
  ['busy with nothing to give for more than ten seconds', 'busyRetryMs', 11_000],
  ['to be left alone for longer than an honest one asks for', 'blockDeadlineMs', 500],
] as const)('but not where it is %s', (_, pause, withinMs) => {
  const { node, wants } = between()
  let open = wants
  let most = 0
  for (let ms = 0; ms < withinMs; ms += STEP_MS) {
    const busy = { type: 'busy', retryAfterMs: LIMITS[pause] } as const
    const again = to(open, SEED).flatMap(({ id }) => node.answer(id, busy))
    // A rescue is for a block or two.
    const rescued = to(open, FAR).flatMap(node.give)
    open = [...again, ...rescued, ...node.tick(STEP_MS)]
    most = Math.max(most, to(open, FAR).length)
  }
  expect(most).toBeGreaterThanOrEqual(LIMITS.maxWantsPerSeed / 2)
})

test('that it was busy long ago does not count', () => {
  const sources = new Sources(LIMITS)
  sources.busy(SEED, 10, 0)
  // nobody asked it anything between
  sources.busy(SEED, 10_010, 10_000)
  expect(sources.isAwaited(SEED, 10_000)).toBe(true)
  for (let ms = 10_000; ms <= 20_000; ms += 500) sources.busy(SEED, ms + 10, ms)
  expect(sources.isAwaited(SEED, 20_000)).toBe(false)
  sources.brokeSilence(SEED)
  expect(sources.isAwaited(SEED, 20_000)).toBe(true)
})

test('or lacks it, as it has yet to hear of the release; but then, and until it gives something, of a far one as well', () => {
  const { node, wants } = between()
  let open = wants
  for (let times = 1; times <= MAX_LACKED; times += 1) {
    const meanwhile = open.flatMap(({ id }) => node.answer(id, { type: 'gone' }))
    const isGivenUp = times === MAX_LACKED
    expect(to(meanwhile, FAR).map((want) => want.to)).toEqual(isGivenUp ? ALL : [])
    open = to(pass(node, LIMITS.avoidPeerMs / 4), SEED)
    expect(open.length).toBeGreaterThan(0)
  }
})

test('while it is silent all is asked of the far one', () => {
  const { node } = between()
  expect(to(pass(node, LIMITS.blockSilenceMs - STEP_MS), FAR)).toEqual([])
  expect(to(node.tick(STEP_MS), FAR).map((want) => want.to)).toEqual(ALL)
})

test('a node that stood still itself until long after the deadline asks the seed near on at once', () => {
  const { node, wants } = between()
  // the far one is no way out either: what it gives would enter the region a second time
  expect(node.tick(2 * LIMITS.blockDeadlineMs)).toEqual([])
  const again = wants.flatMap(({ id }) => node.timedOut(id))
  expect(again.map((want) => want.to)).toEqual(Array(LIMITS.maxWantsPerSeed).fill(SEED))
})

test('and one that stood still for three seconds first reads what has come meanwhile, however soon it looks again', () => {
  const { node, wants } = between()
  expect(node.tick(3_000)).toEqual([])
  expect(node.wakeMs()).toBeLessThanOrEqual(LIMITS.repairMs)
  const meanwhile = [node.tick(1), pass(node, LIMITS.repairMs - STEP_MS)].flat()
  expect(meanwhile).toEqual([])
  expect(wants.flatMap(node.give).map((want) => want.to)).toEqual(Array(LIMITS.maxWantsPerSeed).fill(SEED))
})

test('of which nothing has come by then is silent', () => {
  const { node } = between()
  node.tick(3_000)
  expect(to(pass(node, LIMITS.repairMs - STEP_MS), FAR)).toEqual([])
  expect(to(node.tick(STEP_MS), FAR).map((want) => want.to)).toEqual(ALL)
})

test.each([8, 64])('nor does it step in for another gateway, of %i blocks, before that is read', (blocks) => {
  const node = fetcher({ gateways: [SELF, peer('other gateway')], seeds: [SEED], blocks })
  let open = node.started
  while (open.length > 0) open = open.flatMap(node.give)
  // a tick from which the next look is known to be late
  expect(node.tick(STEP_MS)).toEqual([])
  expect(node.tick(3_000)).toEqual([])
  expect(pass(node, LIMITS.repairMs - STEP_MS)).toEqual([])
  expect(to(pass(node, 2_000), SEED)).not.toEqual([])
})

test('a node that is late for each look finds out who is silent all the same', () => {
  const { node } = between()
  const looks = [node.tick(2_000), node.tick(2_000)].flat()
  expect(to(looks, FAR).map((want) => want.to)).toEqual(ALL)
})

test('one standstill of the seed is one silence, however much it was asked for: it is asked again a second later', () => {
  const { node, wants } = between()
  expect(node.tick(LIMITS.blockDeadlineMs)).toEqual([])
  expect(
    to(
      wants.flatMap(({ id }) => node.timedOut(id)),
      SEED,
    ),
  ).toEqual([])
  expect(to(pass(node, LIMITS.avoidPeerMs - STEP_MS), SEED)).toEqual([])
  expect(to(node.tick(STEP_MS), SEED)).not.toEqual([])
})

test('and while so little may be asked for near that the region would wait for it', () => {
  const node = fetcher({ gateways: [SELF], seeds: [SEED], blocks: 64 })
  const wants = node.started.flatMap((page) => node.give(page))
  // silent, and nothing came: one at a time from now on
  pass(node, LIMITS.blockSilenceMs)
  for (const want of wants) node.give(want)
  const open = to(pass(node, LIMITS.avoidPeerMs), SEED)
  expect(open).toHaveLength(1)
  expect(node.joined(FAR, 'us').map((want) => want.to)).toEqual(ALL)
})

test('a seed that has yet to get a release asks first for what its region waits for', () => {
  const node = fetcher({ submit: true, seeds: [FAR], seedRegion: 'us', blocks: 40, random: () => 0.5 })
  const [page] = node.started
  if (page === undefined) throw new Error('nobody is asked for the page')
  const awaited = [node.digests[33], node.digests[5]] as Digest[]
  node.duty.awaited = awaited
  expect(
    node
      .give(page)
      .slice(0, 2)
      .map(({ digest }) => digest),
  ).toEqual(awaited)
})
