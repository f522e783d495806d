/** What a node writes down, as typed records; `store/keys.ts` alone knows where each lies. */

import type { Floor } from '../model/floor.ts'
import type { Channel, Digest, KeyId, PeerId, ReleaseId } from '../model/ids.ts'
import type { Place } from '../model/place.ts'

/** Which releases of a channel are shown and run; decides nothing that the floor does not. */
export interface ChannelRecord {
  readonly channel: Channel
  readonly heads: readonly ReleaseId[]
  readonly active: ActiveRecord | undefined
  readonly lastGood: ReleaseId | undefined
  /** Epoch in which `lastGood` was activated: an ended epoch is never gone back to. */
  readonly lastGoodEpoch: number
  /** Ids whose health check failed here, newest last, bounded. */
  readonly failed: readonly ReleaseId[]
  /** What is copied of the target that had failed here when a root ended its epoch, while the new one has no target. */
  readonly failedTarget?: Digest | undefined
  /** What was active before, newest first, for people. */
  readonly history: readonly { readonly release: ReleaseId; readonly activatedAt: number }[]
}

export interface ActiveRecord {
  readonly release: ReleaseId
  readonly epoch: number
  /** Milliseconds since 1970. */
  readonly activatedAt: number
  /** Healthy for `health.soakMs`. */
  readonly soaked: boolean
  /** The channel has left the node's subscription since, when this was its newest: nobody looks after its files. */
  readonly left?: Place | undefined
}

export interface LeaseRecord {
  readonly channel: Channel
  readonly place: Place
  readonly release: ReleaseId
  readonly envelope: Uint8Array
  /** The seed it is lent to, or undefined: our own upload. */
  readonly holder: PeerId | undefined
}

export type Write =
  | { readonly kind: 'root'; readonly version: number; readonly envelope: Uint8Array }
  /** Written to the store and to the second copy beside the materialized tree. */
  | { readonly kind: 'floor'; readonly floor: Floor }
  | { readonly kind: 'channel'; readonly record: ChannelRecord }
  | {
      readonly kind: 'envelope'
      readonly release: ReleaseId
      readonly channel: Channel
      readonly bytes: Uint8Array
    }
  /** A block or a manifest page, already checked against its digest. */
  | { readonly kind: 'block'; readonly digest: Digest; readonly bytes: Uint8Array }
  /**
   * Every page and block of the release is here; written last, synced. `alone`: all of them are in this very batch, so that
   * nothing written before has to be on disk with it.
   */
  | { readonly kind: 'whole'; readonly release: ReleaseId; readonly alone?: true }
  | { readonly kind: 'unwhole'; readonly release: ReleaseId }
  | { readonly kind: 'dropEnvelope'; readonly release: ReleaseId }
  | { readonly kind: 'beacon'; readonly key: KeyId; readonly at: number; readonly envelope: Uint8Array }
  | { readonly kind: 'lease'; readonly lease: LeaseRecord }
  | { readonly kind: 'dropLease'; readonly release: ReleaseId }
  /** One line of the append-only audit log of submissions. */
  | {
      readonly kind: 'audit'
      readonly at: number
      readonly peer: PeerId
      readonly release: ReleaseId
      readonly channel: Channel
      readonly answer: string
    }

/** Of a batch: it counts on no block that was written before. Else a small release would wait until all logs that a large one under way has filled are on disk. */
export const isAlone = (writes: readonly Write[]): boolean =>
  !writes.some((write) => write.kind === 'whole' && write.alone !== true)

/** What a record that is no block counts in a batch, also one that is taken away, beside envelopes and long lists in it. */
export const RECORD_BYTES = 512
/** A release that one lists. */
const LISTED_BYTES = 128

const bytesIn = (write: Write): number => {
  switch (write.kind) {
    case 'block':
      return write.bytes.length
    case 'envelope':
      return RECORD_BYTES + write.bytes.length
    case 'root':
    case 'beacon':
      return RECORD_BYTES + write.envelope.length
    case 'lease':
      return RECORD_BYTES + write.lease.envelope.length
    case 'channel': {
      const { heads, failed, history } = write.record
      return RECORD_BYTES + LISTED_BYTES * (heads.length + failed.length + history.length)
    }
    default:
      return RECORD_BYTES
  }
}

/** What they count, in a batch and while they wait. */
export const bytesOf = (writes: readonly Write[]): number =>
  writes.reduce((sum, write) => sum + bytesIn(write), 0)
