/** What each record holds, as forms: the one place that reads and writes the body of a record (dag-cbor). */
import { decodeStrict, encode } from '../codec/cbor.ts'
import {
  bool,
  bytes,
  closed,
  convert,
  type Form,
  type FormOf,
  hash,
  int,
  list,
  optional,
  parsed,
  record,
  text,
} from '../codec/fields.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Floor } from '../model/floor.ts'
import type { Digest, FleetId, Name, ReleaseId } from '../model/ids.ts'
import { parseChannel, parseName, parsePeerId } from '../model/names.ts'
import type { Place } from '../model/place.ts'
import type { Write } from '../runtime/ports.ts'
import { seal, unseal } from './checksum.ts'

type ChannelRecord = Extract<Write, { kind: 'channel' }>['record']
type LeaseRecord = Extract<Write, { kind: 'lease' }>['lease']

const release = hash<ReleaseId>(32)
const channel = parsed(parseChannel)
/**
 * Of the lists of a channel, so that their record stays within its bytes and items. Not one of the limits in force: what was
 * stored under higher ones is no damage.
 */
export const MAX_LISTED = 8_192
const releases = list(release, MAX_LISTED)
/** For the same reason never lower than the built-in one. */
const maxRecordBytes = (limits: Limits): number =>
  Math.max(limits.maxStoreRecordBytes, LIMITS.maxStoreRecordBytes)
const blob = bytes(maxRecordBytes)

const place: Form<Place> = record({
  epoch: int(),
  counter: int(),
  publisher: parsed<Name | ''>((name) => (name === '' ? '' : parseName(name))),
})

export const FLOOR: Form<Floor> = record({
  fleet: hash<FleetId>(32),
  channel,
  top: place,
  ids: list(release, 2),
})

const active = record({ release, epoch: int(), activatedAt: int(), soaked: bool, left: optional(place) })
const channelShape = record({
  channel,
  heads: releases,
  active: optional(active),
  lastGood: optional(release),
  lastGoodEpoch: int(),
  failed: releases,
  failedTarget: optional(hash<Digest>(32)),
  history: list(record({ release, activatedAt: int() }), MAX_LISTED),
})
export const CHANNEL: Form<ChannelRecord> = convert(
  channelShape,
  (read): ChannelRecord => ({ ...read, active: read.active, lastGood: read.lastGood }),
  // Absent fields are left out when written; the types tell "absent" from "undefined", the form does not.
  (value) => ({ ...value, history: value.history.slice(0, MAX_LISTED) }) as FormOf<typeof channelShape>,
)

const leaseShape = record({
  channel,
  place,
  release,
  envelope: blob,
  holder: optional(parsed(parsePeerId)),
})
export const LEASE: Form<LeaseRecord> = convert(
  leaseShape,
  (read): LeaseRecord => ({ ...read, holder: read.holder }),
  (value) => value as FormOf<typeof leaseShape>,
)

/** `number` grows with each envelope stored: the lowest is the oldest, whatever the clock said. */
export const ENVELOPE = record({ channel, number: int(), bytes: blob })
export const ROOT = record({ version: int(1), envelope: blob })
export const BEACON = record({ at: int(), envelope: blob })

export interface BlockEntry {
  readonly bytes: number
  /** Of its key; undefined: the block was written in format 1, as was its record, a bare size. */
  readonly number: number | undefined
}
const size = int()
const numbered = closed({ bytes: size, number: int() })
export const SIZE: Form<BlockEntry> = {
  read: (value, at, limits) =>
    typeof value === 'number'
      ? { bytes: size.read(value, at, limits), number: undefined }
      : numbered.read(value, at, limits),
  write: ({ bytes, number }) =>
    number === undefined ? size.write(bytes) : numbered.write({ bytes, number }),
}
export const FORMAT_RECORD = int(0)
export const FLEET = hash<FleetId>(32)
/** A record that says all by being there. */
export const MARK = bool
export const AUDIT = record({ peer: parsed(parsePeerId), release, channel, answer: text(1024) })

/** Bytes of a record under its name (a key, or a file's name). */
export const writeRecord = <T>(form: Form<T>, name: string, value: T): Uint8Array =>
  seal(name, encode(form.write(value)))

/** The value, or undefined where the record is damaged: checksum, or a form that no build of ours writes. */
export function readRecord<T>(
  form: Form<T>,
  name: string,
  sealed: Uint8Array,
  limits: Limits,
): T | undefined {
  const body = unseal(name, sealed)
  if (body === undefined) return undefined
  try {
    return form.read(
      // Depth and items are those of forms of ours, whatever a message of others may have.
      decodeStrict(body, { maxBytes: maxRecordBytes(limits), limits: LIMITS, what: name }),
      name,
      limits,
    )
  } catch {
    // Its writer was broken, not the disk; to the reader it is the same: quarantined, counted and reported.
    return undefined
  }
}
