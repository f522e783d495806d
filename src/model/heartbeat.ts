import type { Extra } from './extra.ts'
import type { Address, Name, PeerId } from './ids.ts'

/** A gateway's signed word that it lives and where it is reached. */
export interface Heartbeat {
  readonly v: 1
  readonly critical: readonly string[]
  readonly peer: PeerId
  readonly region: Name
  readonly addresses: readonly Address[]
  /** Milliseconds since 1970 by the gateway's clock. */
  readonly at: number
  readonly extra?: Extra
}
