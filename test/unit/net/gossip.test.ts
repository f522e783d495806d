import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import { Gate } from '../../../src/net/gate.ts'
import { gossipOptions } from '../../../src/net/gossip.ts'
import { Pace } from '../../../src/net/pace.ts'

const options = (seed: boolean) =>
  gossipOptions({
    fleetId: 'f1ee7'.padEnd(64, '0') as FleetId,
    region: 'default',
    seed,
    gate: new Gate(),
    pace: new Pace(LIMITS),
    limits: LIMITS,
  })

test('a small release leaves its origin in eight copies at most, in a large fleet too', () => {
  const { D, Dhi, floodPublish, doPX } = options(true)
  expect({ D, Dhi, floodPublish, doPX }).toEqual({ D: 8, Dhi: 8, floodPublish: false, doPX: false })
})

test('a node that is no seed takes a few neighbours more, so that newcomers find a place', () => {
  expect(options(false).Dhi).toBe(12)
})
