import type { Extra } from './extra.ts'
import type { FleetId, KeyId, Name, Pattern, PeerId } from './ids.ts'

export interface PublicKey {
  readonly id: KeyId
  readonly type: 'ed25519' | 'p256'
  /** Canonical SPKI, DER. */
  readonly spki: Uint8Array
  readonly extra?: Extra
}

export interface Role {
  /** Distinct, ascending. */
  readonly keys: readonly KeyId[]
  readonly threshold: number
  readonly extra?: Extra
}

export interface Publisher extends Role {
  readonly name: Name
  readonly patterns: readonly Pattern[]
}

export interface EpochEntry {
  readonly pattern: Pattern
  /** The root version that raised the epoch of what the pattern matches. */
  readonly value: number
  readonly extra?: Extra
}

/** Who may publish what, who admits nodes, which nodes are out, and who may change this document. */
export interface TrustRoot {
  readonly v: 1
  readonly critical: readonly string[]
  /** The digest of version 1's payload; for version 1 itself computed from its own bytes. */
  readonly fleetId: FleetId
  readonly version: number
  /** Milliseconds since 1970; in the document RFC 3339. */
  readonly expires: number
  readonly keys: ReadonlyMap<KeyId, PublicKey>
  readonly root: Role
  readonly publishers: ReadonlyMap<Name, Publisher>
  readonly admission: { readonly keys: readonly KeyId[]; readonly extra?: Extra }
  readonly freshness: {
    readonly keys: readonly KeyId[]
    readonly maxAgeS: number
    readonly maxSkewS: number
    readonly extra?: Extra
  }
  readonly epochs: readonly EpochEntry[]
  readonly removed: {
    readonly peers: readonly { readonly id: PeerId; readonly until?: number; readonly extra?: Extra }[]
    readonly pools: readonly { readonly key: KeyId; readonly until?: number; readonly extra?: Extra }[]
    readonly extra?: Extra
  }
  /** Roles this build does not know. */
  readonly otherRoles?: Extra
  /** Names this build does not know, at the top of the document. */
  readonly extra?: Extra
}
