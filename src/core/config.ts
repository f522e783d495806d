import type { Limits } from '../limits.ts'
import type { Stopgap } from '../model/heartbeat.ts'
import type { Address, KeyId, Pattern, PeerId } from '../model/ids.ts'

/** Everything the core is told once. Secrets stay outside: signing is a function. */
export interface CoreConfig {
  readonly self: PeerId
  /** Envelope of the configured root, any version; the newest of this and the store counts. */
  readonly root: Uint8Array
  readonly patterns: readonly Pattern[]
  /** Never empty: `regionIn`. */
  readonly region: string
  readonly zone: string
  /** Takes submissions from anywhere (a seed); others take them from their own host only. */
  readonly submit: boolean
  /** Stands for gateway only where nobody else does, as a seed: a slow link would hold up its region's large releases. */
  readonly gatewayLast?: boolean
  readonly seeds: readonly Address[]
  /**
   * Own certificate chain, node first, as this node shows it at that moment: who signs its own signs another once the
   * clock says that peers would refuse the last. The very same array where it is still the same chain; peers judge it.
   */
  readonly chain: (wallMs: number) => readonly Uint8Array[]
  /** A private key of `freshness.keys`: bare signature over the bytes given. Only seeds have it. Deterministic, synchronous. */
  readonly signBeacon?: { readonly key: KeyId; sign(data: Uint8Array): Uint8Array }
  /**
   * Own peer record as `signPeerRecord` (trust/peer-record.ts) makes it, with the addresses of now and of no earlier time
   * than asked for; others pass it on.
   */
  readonly peerRecord?: (notBefore: number) => Uint8Array
  /**
   * Own heartbeat as `signHeartbeat` (trust/heartbeat.ts) makes it, with the addresses of now; undefined while there
   * are none. A node without this never stands for gateway.
   */
  readonly signHeartbeat?: (at: number, stopgap: Stopgap | undefined) => Uint8Array | undefined
  readonly keepReleases: number
  readonly soakMs: number
  /** Files are written and hooks run here; without, activation only marks the release. */
  readonly materialize: boolean
  /** Stream of random numbers in [0, 1) for jitter and choice of peers, seeded by the caller. */
  readonly random: () => number
  readonly limits: Limits
}
