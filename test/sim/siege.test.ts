import { expect, test } from 'vitest'
import { besiege } from '../../src/sim/siege.ts'

test('a fifth of the nodes hostile: every honest one converges, and the one they eclipse says so', async () => {
  const { calm, besieged, hostileNodes, victimSays, problem } = await besiege({ seed: 1, nodes: 20 })
  expect(problem).toBeUndefined()
  expect(hostileNodes).toBe(4)
  expect(victimSays).toBe('silent')
  for (const [at, { lastMs, missing }] of besieged.entries()) {
    expect(missing).toBe(0)
    expect(lastMs).toBeLessThan(3 * (calm[at]?.lastMs ?? 0))
  }
}, 300_000)

test('three in ten: every honest one converges all the same, more slowly', async () => {
  const { besieged, hostileNodes, victimSays, problem } = await besiege({
    seed: 2,
    nodes: 20,
    hostileShare: 0.3,
  })
  expect(problem).toBeUndefined()
  expect(hostileNodes).toBe(6)
  expect(victimSays).toBe('silent')
  for (const { missing } of besieged) expect(missing).toBe(0)
}, 300_000)
