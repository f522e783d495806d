/** A way on which nothing is to be asked for now: what goes another way does not wait for it. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, SEED, SELF, type Want } from './fetcher.ts'

const STEP_MS = 50
/** Of 40 s: a little less. */
const PAUSE_MS = 4 * LIMITS.blockDeadlineMs * 0.99
const LONGEST_AVOIDED_MS = 10_000

/** A far seed gave the page, and hangs since: each question is cut off, until nothing is asked over the border for long. */
function paused() {
  const node = fetcher({ blocks: 60, gateways: [SELF], seeds: [SEED], seedRegion: 'us', random: () => 0.99 })
  let open = node.started.flatMap((page) => node.give(page)).map((want) => ({ want, ms: 0 }))
  let quietMs = 0
  for (let ms = 0; quietMs < LONGEST_AVOIDED_MS + LIMITS.blockDeadlineMs; ms += STEP_MS) {
    if (ms > 400_000) throw new Error('it is asked on and on')
    const late = open.filter((one) => ms - one.ms >= LIMITS.blockDeadlineMs)
    open = open.filter((one) => !late.includes(one))
    const wants: Want[] = [...late.flatMap(({ want }) => node.timedOut(want.id, true)), ...node.tick(STEP_MS)]
    node.failed()
    open.push(...wants.map((want) => ({ want, ms })))
    quietMs = open.length > 0 ? 0 : quietMs + STEP_MS
  }
  expect(quietMs).toBeLessThan(PAUSE_MS)
  return node
}

test('a seed near is asked for as much as it may be, while nothing is asked of a far one that hangs', () => {
  const near = peer('near seed')
  expect(
    paused()
      .joined(near)
      .map(({ to }) => to),
  ).toEqual(Array(LIMITS.maxWantsPerSeed).fill(near))
})
