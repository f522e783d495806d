/** Puts a node together: its stages, and the one dispatcher that calls them. */
import { createJudge } from '../trust/admission.ts'
import { createAdmit } from './admit.ts'
import { createBridge } from './bridge.ts'
import { Checks } from './checks.ts'
import type { CoreConfig } from './config.ts'
import { Dispatcher } from './dispatcher.ts'
import type { Effect } from './effects.ts'
import type { Event, Now } from './events.ts'
import { createFreshness } from './freshness.ts'
import { createGateways } from './gateways.ts'
import { createPeers } from './peers.ts'
import { createSubmit } from './submit.ts'
import { createSync } from './sync.ts'
import type { CoreFacts, CoreView } from './view.ts'

/** A whole node without its input and output: the same in the daemon, in tests and in simulated fleets. */
export interface NodeCore {
  /** One event, synchronously; the effects are to be carried out in their order. */
  handle(event: Event, now: Now): readonly Effect[]
  view(now: Now): CoreView
}

/** @throws MeshError where the configured root is no valid root. */
export function createNode(config: CoreConfig): NodeCore & CoreFacts {
  const freshness = createFreshness(config)
  const checks = new Checks(config.limits)
  const judge = createJudge(config.limits)
  const sync = createSync(config, freshness)
  const stages = {
    admit: createAdmit(config, judge),
    peers: createPeers(config, judge, freshness),
    gateways: createGateways(config, judge),
    freshness,
    sync,
    submit: createSubmit(config, checks, (channel) => sync.isCompared(channel)),
    bridge: createBridge(config),
  }
  return new Dispatcher(config, stages, checks)
}
