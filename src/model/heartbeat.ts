import type { Extra } from './extra.ts'
import type { Address, Name, PeerId } from './ids.ts'

/**
 * Why a node that is not proven stands for gateway all the same: it is up for less than ten minutes or nobody has
 * dialled it lately (`new`), or it is to be the last (`seed`): a seed, which has enough to do, one told so, one that cannot write.
 */
export type Stopgap = 'new' | 'seed'

/** A gateway's signed word that it lives and where it is reached. */
export interface Heartbeat {
  readonly v: 1
  readonly critical: readonly string[]
  readonly peer: PeerId
  readonly region: Name
  readonly addresses: readonly Address[]
  /** Certificate chain, node first, ≤ 2 envelopes. Without it nobody counts the peer: a key alone makes no gateway. */
  readonly chain?: readonly Uint8Array[]
  /** Milliseconds since 1970 by the gateway's clock. */
  readonly at: number
  /** Set where it ranks behind all that are proven. */
  readonly stopgap?: Stopgap
  readonly extra?: Extra
}
