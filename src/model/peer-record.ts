import type { Extra } from './extra.ts'
import type { Address, Pattern, PeerId } from './ids.ts'

/** What a node says of itself for others to pass on: where it is reached and what it stores. Signed by its identity. */
export interface PeerRecord {
  readonly v: 1
  readonly critical: readonly string[]
  readonly peer: PeerId
  /** Milliseconds since 1970 by the peer's clock; of two records of a peer the later one counts. */
  readonly at: number
  /** ≤ 16, each ending in the peer's own id. */
  readonly addresses: readonly Address[]
  readonly patterns: readonly Pattern[]
  readonly region: string
  readonly zone: string
  /** Takes submissions: a seed. */
  readonly submit: boolean
  /** Certificate chain, node first, ≤ 2 envelopes. */
  readonly chain: readonly Uint8Array[]
  /** Names this build does not know. */
  readonly extra?: Extra
}
