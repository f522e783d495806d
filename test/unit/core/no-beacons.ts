/** Freshness as a node has it that hears no beacon: what a test is about it says itself. */
import type { Stages } from '../../../src/core/dispatcher.ts'

export const NO_BEACONS: Stages['freshness'] = {
  state: () => 'unjudged',
  page: () => undefined,
  heardAny: () => false,
  lastHeard: () => ({ beaconMonoMs: 0, heardBeacon: false }),
  silentKeys: () => 0,
}
