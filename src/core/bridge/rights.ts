/** Who may say what over the bridge, and how much of it. */
import type { Name, PeerId } from '../../model/ids.ts'
import type { BridgeRequest } from '../../model/messages.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import { createBuckets } from '../rate.ts'
import { isAdmitted } from '../session.ts'
import type { Step } from '../step.ts'

/** What concerns things that cross borders. */
export type Ask = Exclude<BridgeRequest, { readonly type: 'heartbeats' }>

export interface BridgeRefusal {
  readonly code: 'ADMIT_REFUSED' | 'LIMIT_RATE' | 'NET_PROTOCOL'
  readonly text: string
}

export class BridgeRights {
  readonly #region: Name
  readonly #messages: ReturnType<typeof createBuckets<PeerId>>

  constructor({ region, limits }: CoreConfig) {
    this.#region = region as Name
    this.#messages = createBuckets(limits.bridgePerSecond, limits.bridgeBurst)
  }

  forget(peer: PeerId): void {
    this.#messages.forget(peer)
  }

  /** Undefined: it may say this. */
  refuses(step: Step, journey: Journey, peer: PeerId, message: Ask): BridgeRefusal | undefined {
    const session = journey.session(peer)
    if (session === undefined || !isAdmitted(session))
      return { code: 'ADMIT_REFUSED', text: 'not admitted here yet' }
    // Each thing is looked up, and ranked where it is new: a list of them is no cheaper than as many messages.
    const count = message.type === 'have' ? message.items.length : 1
    if (!this.#messages.take(peer, step.now.monoMs, count))
      return { code: 'LIMIT_RATE', text: 'more bridge messages than a gateway may send' }
    const near = session.hello.region === this.#region
    // Of a region without gateways any node is told; who is told asks.
    const asksItself = message.type === 'pull' && journey.gateways(session.hello.region).length === 0
    const mayBridge = (journey.stands(peer) || asksItself) && (message.type !== 'claim' || near)
    const seedTells = message.type === 'announce' && near && session.hello.submit
    if (mayBridge || seedTells) return undefined
    return {
      code: 'NET_PROTOCOL',
      text: 'only gateways bridge regions, and no heartbeat of this one is known',
    }
  }
}
