/** A node that has lost its seed, or never had one: what a region has by then is left to be brought from there. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

const FAR = peer('far')

test('a fetcher of another region asks on where its own is fed from, though no seed is linked any more', () => {
  const node = fetcher({ gateways: [SELF], seedRegion: 'us', abroad: [FAR] })
  const [page] = node.started as [Want]
  expect(page).toMatchObject({ to: FAR, failed: false })
  expect(node.left(SEED)).toEqual([])
  const wants = node.give(page)
  expect(wants).toHaveLength(LIMITS.maxWantsPerSeed)
  node.effects.length = 0
  const [next] = node.give(wants[0] as Want)
  const written = { kind: 'block', digest: wants[0]?.digest, bytes: expect.anything() }
  const request = { protocol: 'blocks', message: { type: 'want', digest: next?.digest } }
  expect(node.effects).toEqual([
    { kind: 'count', metric: 'blocks_received', by: 1 },
    { kind: 'persist', ticket: expect.any(Number), writes: [written], sync: false },
    { kind: 'request', id: next?.id, peer: FAR, request, timeoutMs: LIMITS.blockDeadlineMs },
  ])
  const asked = [...wants, next as Want]
  for (let at = 1; at < asked.length; at += 1) asked.push(...node.give(asked[at] as Want))
  expect(asked.map(({ to }) => to)).toEqual(node.digests.map(() => FAR))
  expect(new Set(asked.map(({ digest }) => digest))).toEqual(new Set(node.digests))
})

test('whoever has a link over the border and none to a seed asks there for what nobody near has', () => {
  const node = fetcher({ self: peer('nobody'), gateways: [OTHER], seeds: [], abroad: [FAR] })
  for (const page of node.announce(OTHER, [0])) node.give(page)
  const asked: Want[] = []
  for (let ms = 0; ms < 2_000; ms += 50) asked.push(...node.tick(50), ...node.noted())
  expect(asked.length).toBeGreaterThan(0)
  expect(new Set(asked.map(({ to }) => to))).toEqual(new Set([FAR]))
})

test('as long as a seed is linked it is asked before', () => {
  const node = fetcher({ self: peer('nobody'), gateways: [OTHER], seedRegion: 'us', abroad: [FAR] })
  for (const page of node.announce(OTHER, [0])) node.give(page)
  const asked: Want[] = []
  for (let ms = 0; ms < 1_000; ms += 50) asked.push(...node.tick(50), ...node.noted())
  expect(new Set(asked.map(({ to }) => to))).toEqual(new Set([SEED]))
})

test('a seed that says it is busy for ever is asked again after as long as a block may take', () => {
  const node = fetcher({ gateways: [SELF], draw: 0.5 })
  const [page] = node.started as [Want]
  expect(node.answer(page.id, { type: 'busy', retryAfterMs: 1e9 })).toEqual([])
  const asked: Want[] = []
  for (let ms = 0; ms < LIMITS.blockDeadlineMs; ms += 250) asked.push(...node.tick(250))
  expect(asked.filter(({ to }) => to === SEED).map(({ digest }) => digest)).toEqual([page.digest])
})
