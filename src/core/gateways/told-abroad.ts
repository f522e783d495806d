/** Which linked gateways of other regions are told again that this node stands. */
import type { Limits } from '../../limits.ts'
import type { Stopgap } from '../../model/heartbeat.ts'
import type { PeerId } from '../../model/ids.ts'

interface Told {
  readonly stopgap: Stopgap | undefined
  readonly monoMs: number
}

export class ToldAbroad {
  readonly #limits: Limits
  readonly #told = new Map<PeerId, Told>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /**
   * Whether it is told now: it was not on this connection yet, or something else, or long ago, or did not answer. Asked each
   * time this node says in its region that it stands, which is not to the millisecond: half such a time early is in time.
   */
  take(peer: PeerId, stopgap: Stopgap | undefined, monoMs: number): boolean {
    const { heartbeatMs, farHeartbeatMs } = this.#limits
    const told = this.#told.get(peer)
    const isOld = told !== undefined && told.stopgap === stopgap
    if (isOld && monoMs - told.monoMs < farHeartbeatMs - heartbeatMs / 2) return false
    this.#told.set(peer, { stopgap, monoMs })
    return true
  }

  forget(peer: PeerId | undefined): void {
    if (peer !== undefined) this.#told.delete(peer)
  }
}
