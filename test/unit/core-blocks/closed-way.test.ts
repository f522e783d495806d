/** A way on which nothing is to be asked for now: what goes another way does not wait for it. */
import { expect, test } from 'vitest'
import { WayPause } from '../../../src/core/fetch/way-pause.ts'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, SEED, SELF, type Want } from './fetcher.ts'

const STEP_MS = 50
/** Of 40 s: a little less. */
const PAUSE_MS = 4 * LIMITS.blockDeadlineMs * 0.99
const LONGEST_AVOIDED_MS = 10_000

type Paused = ReturnType<typeof paused>

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

test.each([
  ['another far one is linked', (node: Paused) => node.joined(peer('b'), 'us')],
  ['it is linked anew', (node: Paused) => node.relinked(SEED, [])],
])('the pause after a far seed that hung is over as soon as %s', (_, link) => {
  const node = paused()
  expect(node.tick(STEP_MS)).toEqual([])
  expect(link(node)).toHaveLength(1)
})

test('and where that is in vain, too, the next pause is as long as it would have been', () => {
  const pause = new WayPause(LIMITS.blockDeadlineMs, () => 1)
  pause.begin(0, 0)
  pause.lift()
  expect(pause.isOver(0)).toBe(true)
  pause.begin(0, 1)
  expect([pause.isOver(2 * LIMITS.blockDeadlineMs), pause.isOver(2 * LIMITS.blockDeadlineMs + 1)]).toEqual([
    false,
    true,
  ])
})
