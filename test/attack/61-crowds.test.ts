/** Rows 61 and 63: a fleet that restarts at once, a publisher in a loop. */
import { expect, test } from 'vitest'
import { isMeshError } from '../../src/errors.ts'
import type { MadeRelease } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'
import type { Victim } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile } = stage()

/** Long beside what a host may stand still while the crowd is answered. */
const TURN_MS = 50_000

test('of a crowd some get in, the others hear each its own time to come back', async () => {
  const fleet = aFleet()
  const seed = await aVictim(fleet, {
    seed: true,
    limits: { admissionsPerSecond: 1_000 / TURN_MS, admissionsBurst: 3, redialMaxMs: 3_600_000 },
  })
  const crowd = await Promise.all(Array.from({ length: 12 }, () => aHostile(fleet)))
  const sinceMs = performance.now()
  const answers = await Promise.all(crowd.map((node) => node.enter(seed.address)))
  const admitted = answers.filter(({ type }) => type === 'hello').length
  const waits = answers.flatMap((answer) =>
    answer.type === 'refused' && answer.code === 'LIMIT_RATE' ? [answer.retryAfterMs ?? 0] : [],
  )
  expect(admitted).toBeGreaterThanOrEqual(3)
  expect(admitted).toBeLessThanOrEqual(4 + (performance.now() - sinceMs) / TURN_MS)
  expect(admitted + waits.length).toBe(12)
  // one in that time is promised: no two turns fall together, and those who are told later wait a little less
  const tens = waits.map((ms) => Math.floor(ms / 10_000))
  expect(new Set(tens).size).toBe(waits.length)
  expect(await seed.peers()).toBe(admitted)
})

test('a publisher in a loop is slowed down, and its last release is what runs', async () => {
  const fleet = aFleet()
  const count = 1_000
  // its questions are not what slows it down
  const limits = { submitsPerMinute: 60, submitsBurst: 5, publishAsksBurst: 2 * count }
  const seed = await aVictim(fleet, { seed: true, limits })
  const publisher = await aHostile(fleet)
  await publisher.dial(seed.address)
  const sinceMs = performance.now()
  const all = Array.from({ length: count }, (_, at) => fleet.release({ counter: at + 1 }))
  const became: string[] = []
  for (const { bytes } of all) {
    const reply = await publisher.ask('publish', { type: 'submit', envelope: bytes })
    became.push(reply.type === 'refused' ? reply.code : reply.type)
  }
  const taken = became.filter((what) => what === 'need').length
  expect(taken).toBeGreaterThanOrEqual(5)
  expect(taken).toBeLessThanOrEqual(6 + (performance.now() - sinceMs) / 1_000)
  expect(became.filter((what) => what === 'LIMIT_RATE')).toHaveLength(count - taken)
  const last = all.at(-1) as MadeRelease
  await expect.poll(() => submitted(seed, last), { timeout: 10_000, interval: 200 }).toBe('taken')
  await seed.runs(last)
})

/** What became of it, sent by our own tool. */
async function submitted(seed: Victim, release: MadeRelease): Promise<string> {
  try {
    await seed.submit(release)
    return 'taken'
  } catch (error) {
    if (isMeshError(error)) return error.code
    throw error
  }
}
