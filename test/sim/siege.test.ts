import { expect, test } from 'vitest'
import { besiege } from '../../src/sim/siege.ts'

test('a fifth of the nodes hostile: every honest one converges, and the one they eclipse says so', async () => {
  const { calm, besieged, hostileNodes, victimSays, problem } = await besiege({ seed: 1, nodes: 20 })
  expect(problem).toBeUndefined()
  expect(hostileNodes).toBe(4)
  expect(victimSays).toBe('silent')
  for (const [at, { bytes, lastMs, missing }] of besieged.entries()) {
    expect(missing).toBe(0)
    // With its content in the message nobody's promise is needed.
    if (bytes < 1_000) expect(lastMs).toBeLessThan(3 * (calm[at]?.lastMs ?? 0))
    else expect(lastMs).toBeLessThan(10_000)
  }
}, 300_000)
