/** Who may say what over the bridge, and how much of it. */
import type { Name, PeerId } from '../../model/ids.ts'
import type { BridgeRequest } from '../../model/messages.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
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
  readonly #heartbeatMs: number
  readonly #messages: ReturnType<typeof createBuckets<PeerId>>
  /** Of regions without gateways: when nodes there were told of something last. */
  readonly #toldMonoMs: LatestMap<string, number>

  constructor({ region, limits }: CoreConfig) {
    this.#region = region as Name
    this.#heartbeatMs = limits.heartbeatMs
    this.#toldMonoMs = new LatestMap(limits.maxRegions)
    this.#messages = createBuckets(limits.bridgePerSecond, limits.bridgeBurst)
  }

  forget(peer: PeerId): void {
    this.#messages.forget(peer)
  }

  /** Whoever is linked there is told of something. */
  tells(journey: Journey, region: string, monoMs: number): void {
    if (journey.gateways(region).length === 0) this.#toldMonoMs.set(region, monoMs)
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
    const { region } = session.hello
    const near = region === this.#region
    // Of a region without gateways any node is told; who is told asks, though one may stand there by then.
    const toldMs = step.now.monoMs - (this.#toldMonoMs.get(region) ?? Number.NEGATIVE_INFINITY)
    const isTold = journey.gateways(region).length === 0 || toldMs < this.#heartbeatMs
    const asksItself = message.type === 'pull' && isTold
    const mayBridge = (journey.stands(peer) || asksItself) && (message.type !== 'claim' || near)
    const seedTells = message.type === 'announce' && near && session.hello.submit
    if (mayBridge || seedTells) return undefined
    return {
      code: 'NET_PROTOCOL',
      text: 'only gateways bridge regions, and no heartbeat of this one is known',
    }
  }
}
