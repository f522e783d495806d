/** A seed that has yet to get what it is asked for, as one of another region than the publisher's: it announces nothing. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'
import { link } from './links.ts'
import { server } from './server.ts'

/** Well after a seed that says nothing counts as silent. */
const HERE_MS = 700
const PAUSE_MS = LIMITS.avoidPeerMs / 4

/** The only gateway of its region; the page has come. */
function reading(options: Parameters<typeof fetcher>[0] = {}) {
  const node = fetcher({ gateways: [SELF], seeds: [SEED], blocks: 64, ...options })
  return { node, wants: node.started.flatMap((page) => node.give(page)) }
}

const gone = (node: ReturnType<typeof fetcher>, wants: readonly Want[]): Want[] =>
  wants.flatMap(({ id }) => node.answer(id, { type: 'gone' }))

/** What a seed is asked for next, and after how many ms. */
function next(node: ReturnType<typeof fetcher>): { wants: readonly Want[]; ms: number } {
  for (let ms = 10; ms <= 20_000; ms += 10) {
    const wants = node.tick(10).filter(({ to }) => to !== OTHER)
    if (wants.length > 0) return { wants, ms }
  }
  throw new Error('no seed is asked any more')
}

test.each(['eu', 'us'])(
  'a seed in %s that lacks all it is asked for at once is asked anew soon, however often',
  (seedRegion) => {
    const { node, wants: first } = reading({ seedRegion })
    expect(first).toHaveLength(LIMITS.maxWantsPerSeed)
    let open: readonly Want[] = first
    for (let round = 0; round < 10; round += 1) {
      expect(gone(node, open)).toEqual([])
      const { wants, ms } = next(node)
      expect([wants.map(({ to }) => to), ms]).toEqual([Array(LIMITS.maxWantsPerSeed).fill(SEED), PAUSE_MS])
      open = wants
    }
  },
)

test('a seed that gets all of it while it is asked does not count as silent, and gives it at once', () => {
  const { node, wants } = reading()
  const seed = server(true, LIMITS.maxServedAtOnce)
  link(seed.journey, SELF)
  for (const digest of node.digests) seed.coming.add(digest)
  const open = new Map(wants.map((want) => [want.id, want]))
  const came: number[] = []
  const handle = (said: readonly string[], ms: number): void => {
    for (const [what, id] of said.map((one) => one.split(' '))) {
      const want = open.get(Number(id)) as Want
      open.delete(want.id)
      if (what === 'serve') came.push(ms)
      const next =
        what === 'serve'
          ? node.give(want)
          : node.answer(want.id, { type: 'busy', retryAfterMs: LIMITS.busyRetryMs })
      ask(next, ms)
      if (what === 'serve') handle(seed.served(want.id), ms)
    }
  }
  const ask = (asked: readonly Want[], ms: number): void => {
    for (const want of asked) {
      if (want.to !== SEED) continue
      open.set(want.id, want)
      handle(seed.want(want.id, SELF, want.digest), ms)
    }
  }
  ask([...open.values()], 0)
  for (let ms = 10; ms <= 1_000; ms += 10) {
    handle(seed.tick(ms), ms)
    ask(node.tick(10), ms)
    if (ms === HERE_MS) for (const digest of node.digests) handle(seed.block(digest), ms)
  }
  expect(came).toHaveLength(node.digests.length)
  expect(came.filter((ms) => ms > HERE_MS + 2 * LIMITS.busyRetryMs)).toEqual([])
})
