/** What the store held at start, checked record by record; damaged records are absent and counted. */
import type { Floor } from '../model/floor.ts'
import type { Channel, Digest, KeyId, ReleaseId } from '../model/ids.ts'
import type { ChannelRecord, LeaseRecord } from './writes.ts'

export interface Snapshot {
  /** Envelopes of every root kept, ascending by version. */
  readonly roots: readonly { readonly version: number; readonly envelope: Uint8Array }[]
  /** Both copies of every floor: the store's and the file's. The core joins them. */
  readonly floors: readonly Floor[]
  /** Neither copy was there although the store had been used: a new disk or a lost store. */
  readonly floorLost: boolean
  readonly channels: readonly ChannelRecord[]
  readonly envelopes: readonly {
    readonly release: ReleaseId
    readonly channel: Channel
    readonly bytes: Uint8Array
  }[]
  readonly whole: readonly ReleaseId[]
  /** Digests of every block here, readable or not yet known to be bad. */
  readonly blocks: ReadonlySet<Digest>
  readonly beacons: readonly { readonly key: KeyId; readonly at: number; readonly envelope: Uint8Array }[]
  readonly leases: readonly LeaseRecord[]
  readonly peers: readonly Uint8Array[]
  /** Records found damaged and taken out. */
  readonly corrupt: number
}

export const EMPTY_SNAPSHOT: Snapshot = {
  roots: [],
  floors: [],
  floorLost: false,
  channels: [],
  envelopes: [],
  whole: [],
  blocks: new Set(),
  beacons: [],
  leases: [],
  peers: [],
  corrupt: 0,
}
