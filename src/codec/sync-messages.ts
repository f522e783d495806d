import type { KeyId } from '../model/ids.ts'
import type {
  BeaconMark,
  ShortDigest,
  ShortHash,
  SyncEntry,
  SyncReply,
  SyncRequest,
} from '../model/messages.ts'
import { bool, bytes, convert, type Form, hash, int, list, malformed } from './fields.ts'
import { keyId, timeMs, tuple } from './ids.ts'
import { refused, syncEnvelope, union } from './message-forms.ts'
import { type Element, packed, packedHash, packedInt } from './packed.ts'

/** Buckets of the first level, and the most sub-buckets in each: a sub-bucket's number then fits two bytes. */
const BUCKETS = 64
export const MAX_SUBS = 1024
/** Beacon keys named in one message: a root holds fewer. */
export const MAX_BEACONS = 64
const SHORT_BYTES = 8

const mark: Form<BeaconMark> = convert<readonly [KeyId, number], BeaconMark>(
  tuple(keyId, timeMs),
  ([key, at]) => ({ key, at }),
  ({ key, at }) => [key, at],
)
const marks = list(mark, MAX_BEACONS)

const short = packedHash<ShortDigest>(SHORT_BYTES)
const channel = packedHash<ShortHash>(SHORT_BYTES)

/** First bytes of the channel's hash, then its digest. */
const entry: Element<SyncEntry> = {
  size: 2 * SHORT_BYTES,
  read: (both) => ({
    channel: channel.read(both.subarray(0, SHORT_BYTES)),
    entry: short.read(both.subarray(SHORT_BYTES)),
  }),
  write: (value) => Buffer.concat([channel.write(value.channel), short.write(value.entry)]),
}

/** A power of two, so that sub-buckets are further bits of the same hash. */
const subs: Form<number> = convert(
  int(1, MAX_SUBS),
  (count, at) => {
    if (!Number.isInteger(Math.log2(count))) throw malformed(at, 'expected a power of two')
    return count
  },
  (count) => count,
)

/** A packed list of exactly so many. */
const exactly = <T>(form: Form<readonly T[]>, count: number): Form<readonly T[]> =>
  convert(
    form,
    (values, at) => {
      if (values.length !== count) throw malformed(at, `expected ${count} elements`)
      return values
    },
    (values) => values,
  )

/** Numbers of buckets, ascending: none is asked for twice. */
const ascending = (form: Form<readonly number[]>, below: number): Form<readonly number[]> =>
  convert(
    form,
    (values, at) => {
      for (const [index, value] of values.entries())
        if (value >= below || value <= (values[index - 1] ?? -1))
          throw malformed(at, `expected ascending numbers below ${below}`)
      return values
    },
    (values) => values,
  )

/** Lists whose length the message's 64 KiB bound: an element has at least 9 bytes, or is an envelope. */
const long = <T>(form: Form<T>): Form<readonly T[]> => list(form, (limits) => limits.maxItems)

export const syncRequest: Form<SyncRequest> = union({
  digests: {
    salt: bytes(32, 8),
    root: int(1),
    beacons: marks,
    digest: hash<ShortDigest>(SHORT_BYTES),
    buckets: exactly(packed(short), BUCKETS),
  },
  entries: {
    subBuckets: ascending(packed(packedInt(2)), BUCKETS * MAX_SUBS),
    subs,
    entries: packed(entry),
  },
  push: { envelopes: long(syncEnvelope) },
  peers: { records: long(bytes((limits) => limits.maxPeerRecordBytes, 1)) },
  beacons: { have: marks },
})

export const syncReply: Form<SyncReply> = union({
  differ: {
    root: int(1),
    beacons: marks,
    subs,
    buckets: ascending(packed(packedInt(1)), BUCKETS),
    digests: packed(short),
  },
  envelopes: { envelopes: long(syncEnvelope), lacks: packed(channel), more: bool },
  noted: {},
  peers: { records: long(bytes((limits) => limits.maxPeerRecordBytes, 1)) },
  beacons: { beacons: list(syncEnvelope, MAX_BEACONS) },
  refused,
})
