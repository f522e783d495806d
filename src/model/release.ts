import type { VectorClock } from './clock.ts'
import type { Extra } from './extra.ts'
import type { Channel, Digest, FleetId, Name, ReleaseId } from './ids.ts'

/** What a publisher signs: a release without its content. The release's id is the digest of these bytes. */
export interface Header {
  readonly v: 1
  /** Names of features a node must know to activate this release. */
  readonly critical: readonly string[]
  readonly fleet: FleetId
  readonly channel: Channel
  /** Version of the trust root the release was made under, ≥ 1. */
  readonly root: number
  readonly publisher: Name
  readonly clock: VectorClock
  /** Digests of the manifest's pages, in order, ≤ 256. */
  readonly pages: readonly Digest[]
  readonly files: number
  readonly bytes: number
  /** ≤ 1 KiB of UTF-8. */
  readonly message: string
  /** Milliseconds since 1970, by the publisher's clock. Shown to people, decides nothing. */
  readonly created: number
  /** Milliseconds since 1970 after which no node newly activates it. */
  readonly expires?: number
  /** Reserved for staged rollouts; kept byte for byte. */
  readonly rollout?: Extra
  readonly requires?: Extra
  /** Names this build does not know. */
  readonly extra?: Extra
}

/** A header with its id and its own counter: what the core works with after decode. */
export interface Release {
  readonly id: ReleaseId
  readonly header: Header
  /** The publisher's own entry of the clock. */
  readonly counter: number
}
