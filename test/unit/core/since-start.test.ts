/** What a node says of its own life alone, and not of what was before. */
import { expect, test } from 'vitest'
import { BenchNode } from './bench-node.ts'

test('a beacon is heard once one has come since the start', () => {
  let lastMonoMs = 5_000
  const freshness = {
    ...{
      state: () => 'unjudged' as const,
      page: () => undefined,
      heardAny: () => false,
      silentKeys: () => 0,
    },
    lastHeardMonoMs: () => lastMonoMs,
  } as const
  const node = new BenchNode({}, { freshness })
  node.monoMs = 5_000
  node.start()
  node.monoMs = 9_000
  expect(node.view()).toMatchObject({ beaconMonoMs: 5_000, heardBeacon: false })
  lastMonoMs = 8_000
  expect(node.view()).toMatchObject({ beaconMonoMs: 8_000, heardBeacon: true })
})
