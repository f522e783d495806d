/** gossipsub itself, set up by our code on no network, on a clock that a test moves. */
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import type { Gate } from '../../../src/net/gate.ts'
import { Gossip, type GossipParts, gossipOptions, type Pubsub } from '../../../src/net/gossip.ts'
import { Pace } from '../../../src/net/pace.ts'

export const GOSSIP_FLEET = {
  ...{ fleetId: 'f1ee7'.padEnd(64, '0') as FleetId, region: 'default', seed: false, limits: LIMITS },
  gate: { has: () => true } as unknown as Gate,
}

/** With false timers, which the test ends. @returns gossipsub, of whose members each test names those that it looks at */
export function startedGossip<Inside>(): Inside {
  vi.useFakeTimers()
  const log = Object.assign(() => {}, { error() {}, trace() {} })
  const components = { logger: { forComponent: () => log } } as never
  const pubsub = gossipsub(gossipOptions({ ...GOSSIP_FLEET, pace: new Pace(LIMITS) }))(components)
  const known = Object.assign(pubsub, { subscribe: () => {} }) as unknown as Pubsub
  new Gossip({ ...GOSSIP_FLEET, pubsub: known } as unknown as GossipParts).start()
  return pubsub as unknown as Inside
}
