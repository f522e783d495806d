import type { ChannelHash } from '../model/beacon.ts'
import type { KeyId } from '../model/ids.ts'
import type { BeaconMark, ShortDigest, SyncEntry, SyncReply, SyncRequest } from '../model/messages.ts'
import { bool, bytes, convert, type Form, hash, int, list, malformed, record } from './fields.ts'
import { channelHash, keyId, timeMs, tuple } from './ids.ts'
import { beaconEnvelope, refused, rootEnvelope, union } from './message-forms.ts'

/** Buckets of the first level, and sub-buckets in each: enough for 20,000 channels at five a sub-bucket. */
const BUCKETS = 64
const MAX_SUBS = 1024
/** Beacon keys named in one message: a root holds fewer. */
const MAX_BEACONS = 64

const short: Form<ShortDigest> = hash(8)

const mark: Form<BeaconMark> = convert<readonly [KeyId, number], BeaconMark>(
  tuple(keyId, timeMs),
  ([key, at]) => ({ key, at }),
  ({ key, at }) => [key, at],
)
const marks = list(mark, MAX_BEACONS)

const entry: Form<SyncEntry> = convert<readonly [ChannelHash, ShortDigest], SyncEntry>(
  tuple(channelHash, short),
  ([channel, of]) => ({ channel, entry: of }),
  ({ channel, entry: of }) => [channel, of],
)

/** A power of two, so that sub-buckets are further bits of the same hash. */
const subs: Form<number> = convert(
  int(1, MAX_SUBS),
  (count, at) => {
    if (!Number.isInteger(Math.log2(count))) throw malformed(at, 'expected a power of two')
    return count
  },
  (count) => count,
)

/** Lists whose length the message's 64 KiB bound: an element has at least 9 bytes, or is an envelope. */
const long = <T>(form: Form<T>): Form<readonly T[]> => list(form, (limits) => limits.maxItems)

export const syncRequest: Form<SyncRequest> = union({
  digests: {
    salt: bytes(32, 8),
    root: int(1),
    beacons: marks,
    digest: short,
    buckets: list(short, BUCKETS, BUCKETS),
  },
  entries: {
    subBuckets: list(int(0, BUCKETS * MAX_SUBS - 1), BUCKETS * MAX_SUBS),
    subs,
    entries: long(entry),
  },
  // Roots are pushed, too.
  push: { envelopes: long(rootEnvelope) },
  peers: { records: long(bytes((limits) => limits.maxPeerRecordBytes, 1)) },
  beacons: { have: marks },
})

export const syncReply: Form<SyncReply> = union({
  differ: {
    root: int(1),
    beacons: marks,
    subs,
    buckets: list(record({ bucket: int(0, BUCKETS - 1), digests: list(short, MAX_SUBS) }), BUCKETS),
  },
  envelopes: { envelopes: long(rootEnvelope), lacks: long(channelHash), more: bool },
  noted: {},
  peers: { records: long(bytes((limits) => limits.maxPeerRecordBytes, 1)) },
  beacons: { beacons: list(beaconEnvelope, MAX_BEACONS) },
  refused,
})
