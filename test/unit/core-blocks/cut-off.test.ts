/** A region that is cut off from the one that should feed it, or a node that was never linked with a seed, has blocks of a third. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

const FAR = peer('far')
const FARTHER = peer('farther')
const STEP_MS = 50

/** It alone brings blocks into eu, and home, where the seed was, is beyond reach; us is linked. */
function cutOff(blocks = 40) {
  const node = fetcher({ gateways: [SELF], seedRegion: 'home', abroad: [FAR], blocks })
  expect(node.started.map(({ to }) => to)).toEqual([SEED])
  return { node, wants: node.left(SEED) }
}

test('cut off from home it asks a region that is not for all that it is to bring in', () => {
  const { node, wants } = cutOff()
  const asked: Want[] = []
  for (let want = wants.shift(); want !== undefined; want = wants.shift()) {
    asked.push(want)
    wants.push(...node.give(want))
  }
  expect(asked.map(({ to }) => to)).toEqual(Array(41).fill(FAR))
  expect(new Set(asked.slice(1).map(({ digest }) => digest))).toEqual(new Set(node.digests))
})

test('as soon as a seed is linked again it is asked, be it for what was asked for in vain', () => {
  const { node, wants } = cutOff()
  const [first, ...others] = wants.flatMap((page) => node.give(page))
  const again = node.answer((first as Want).id, { type: 'gone' })
  expect([...others, ...again].filter(({ to }) => to !== FAR)).toEqual([])
  expect(node.joined(SEED, 'home').map(({ to, digest }) => [to, digest])).toContainEqual([
    SEED,
    first?.digest,
  ])
})

test('a node that was never linked with a seed does so once that would have been dialled', () => {
  const node = fetcher({ gateways: [SELF], seeds: [], abroad: [FAR], blocks: 40 })
  expect(node.started).toEqual([])
  expect(node.announce(OTHER, [0]).flatMap((page) => node.give(page))).toEqual([])
  expect(node.tick(LIMITS.dialDeadlineMs).map(({ to }) => to)).toEqual(
    Array(LIMITS.maxWantsPerSeed).fill(FAR),
  )
})

test('home itself waits for its seed', () => {
  const node = fetcher({ gateways: [SELF], abroad: [FAR], blocks: 40 })
  const wants = node.started.flatMap((page) => node.give(page))
  expect(new Set(wants.map(({ to }) => to))).toEqual(new Set([SEED]))
  expect(node.left(SEED)).toEqual([])
})

test('but not for ever, for one that is gone for good: what another region has comes from there', () => {
  const node = fetcher({ gateways: [SELF], abroad: [FAR], blocks: 40 })
  node.started.flatMap((page) => node.give(page))
  expect(node.left(SEED)).toEqual([])
  const missing = new Set(node.digests)
  const open = [...node.tick(LIMITS.dialDeadlineMs)]
  for (let want = open.shift(); want !== undefined; want = open.shift()) {
    expect(want.to).toBe(FAR)
    missing.delete(want.digest)
    open.push(...node.give(want))
  }
  expect(missing.size).toBe(0)
})

test('and nothing that a neighbour has, though that has given nothing yet', () => {
  const node = fetcher({ gateways: [SELF], abroad: [FAR], blocks: 40 })
  node.started.flatMap((page) => node.give(page))
  node.left(SEED)
  node.tick(LIMITS.dialDeadlineMs - STEP_MS)
  // The page comes first, and the last block is left out.
  expect(node.announce(OTHER, [...node.digests.keys()]).map(({ to }) => to)).toEqual([OTHER])
  const asked = node.tick(STEP_MS).map(({ to, digest }) => [to, digest])
  expect(asked).toEqual([[FAR, node.digests.at(-1)]])
})

test('what one region waits for, too, the next time another is asked for', () => {
  const node = fetcher({
    gateways: [SELF],
    seedRegion: 'home',
    abroad: [FAR],
    farther: [FARTHER],
    blocks: 40,
  })
  const open = node.left(SEED)
  const missing = new Set(node.digests)
  for (let ms = 0; ms < 4_000; ms += STEP_MS) {
    for (let want = open.shift(); want !== undefined; want = open.shift()) {
      const isPage = !node.digests.includes(want.digest)
      const gives = isPage || want.to === FARTHER
      if (gives) missing.delete(want.digest)
      open.push(
        ...(gives
          ? node.give(want)
          : node.answer(want.id, { type: 'busy', retryAfterMs: LIMITS.busyRetryMs })),
      )
    }
    node.noted()
    open.push(...node.tick(STEP_MS))
  }
  expect(missing.size).toBe(0)
})

test('what the other waits for, too, has its turn behind all else, each time later', () => {
  const { node, wants } = cutOff()
  const open = wants.flatMap((page) => node.give(page))
  const times = new Map<Digest, number>()
  let allAskedMs: number | undefined
  for (let ms = 0; ms < 60_000; ms += STEP_MS) {
    for (const { id, digest } of open.splice(0)) {
      times.set(digest, (times.get(digest) ?? 0) + 1)
      open.push(...node.answer(id, { type: 'busy', retryAfterMs: LIMITS.busyRetryMs }))
    }
    if (times.size === node.digests.length) allAskedMs ??= ms
    node.noted()
    open.push(...node.tick(STEP_MS))
  }
  expect(allAskedMs).toBeLessThan(LIMITS.standMs)
  // after 1, 2, 4, 8 s and then every 10, and by chance as what nobody brings in
  expect(Math.max(...times.values())).toBeLessThan(30)
})
