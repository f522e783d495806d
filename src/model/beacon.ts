import type { Extra } from './extra.ts'
import type { Digest, FleetId, KeyId, ReleaseId } from './ids.ts'
import type { Place } from './place.ts'

/** A seed's signed word of what is newest. It changes reports and starts a sync; never order or floor. */
export interface Beacon {
  readonly v: 1
  readonly critical: readonly string[]
  readonly fleet: FleetId
  /** Newest root version the seed knows. */
  readonly root: number
  readonly key: KeyId
  /** Milliseconds since 1970 by the seed's clock; counts per key, only a later one is news. */
  readonly at: number
  /** 2^k digests of beacon pages, k ≤ 8; a channel's page is the first k bits of its hash. */
  readonly pages: readonly Digest[]
  readonly extra?: Extra
}

/** First 16 bytes of SHA-256 of a channel's name, as 32 hex digits. */
export type ChannelHash = string & { readonly channelHash: true }

export interface BeaconEntry {
  readonly channel: ChannelHash
  readonly top: Place
  readonly target: ReleaseId | 'held' | 'none'
}

/** Ascending by channel hash, so that equal seeds sign equal digests. */
export type BeaconPage = readonly BeaconEntry[]

/** What a node reports of a channel's freshness. */
export type Freshness = 'fresh' | 'behind' | 'silent' | 'clock-or-delay' | 'unjudged'
