/** A seed that has yet to get what it is asked for, as one of another region than the publisher's: it announces nothing. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

const PAUSE_MS = LIMITS.avoidPeerMs / 4

/** The only gateway of its region; the page has come. */
function reading(options: Parameters<typeof fetcher>[0] = {}) {
  const node = fetcher({ gateways: [SELF], seeds: [SEED], blocks: 20, ...options })
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
