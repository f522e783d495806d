/** The release header: what a publisher signs. Its id is the digest of exactly these bytes. */
import type { Limits } from '../limits.ts'
import type { VectorClock } from '../model/clock.ts'
import type { Channel, FleetId, Name, ReleaseId } from '../model/ids.ts'
import { parseName } from '../model/names.ts'
import type { Header, Release } from '../model/release.ts'
import { decodeStrict, encode } from './cbor.ts'
import { sha256 } from './digest.ts'
import {
  critical,
  type Form,
  int,
  list,
  malformed,
  map,
  opaque,
  open,
  optional,
  record,
  text,
  version,
} from './fields.ts'
import { channel, digest, fleetId, name, timeMs } from './ids.ts'

/** What is over a limit here another build may take: whoever relays it is not at fault as for what is malformed. */
const OVER = 'LIMIT_CONTENT'

const clock: Form<VectorClock> = map(parseName, int(1), (limits) => limits.maxClockEntries, OVER)

/** These keep name and form in every version, so that any build can check any signature. */
const core = { critical, fleet: fleetId, channel, root: int(1), publisher: name, clock }

const header: Form<Header> = open({
  v: version,
  ...core,
  pages: list(digest, (limits) => limits.maxPages, 1, OVER),
  files: int(1, (limits) => limits.maxFiles, OVER),
  bytes: int(0, (limits) => limits.maxReleaseBytes, OVER),
  message: text((limits) => limits.maxMessageBytes, OVER),
  created: timeMs,
  expires: optional(timeMs),
  rollout: optional(opaque),
  requires: optional(opaque),
})

/** What can be read of a header of any version. */
export interface HeaderCore {
  readonly v: number
  readonly critical: readonly string[]
  readonly fleet: FleetId
  readonly channel: Channel
  readonly root: number
  readonly publisher: Name
  readonly clock: VectorClock
  readonly id: ReleaseId
  readonly counter: number
}

const headerCore: Form<Omit<HeaderCore, 'id' | 'counter'>> = record({ v: int(1), ...core })

/** The publisher's own entry is there and strictly the greatest: a publisher counts on from all it has seen. */
function ownCounter(of: VectorClock, publisher: Name): number {
  const own = of.get(publisher)
  if (own === undefined) throw malformed('header.clock', 'the publisher has no entry of its own')
  for (const [other, counter] of of)
    if (other !== publisher && counter >= own)
      throw malformed('header.clock', "the publisher's own entry is not strictly the greatest")
  return own
}

const decoded = (payload: Uint8Array, limits: Limits): unknown =>
  decodeStrict(payload, { maxBytes: limits.maxHeaderBytes, limits, what: 'header' })

/**
 * A header of any version, as far as every version has it: for checking its signatures.
 * @throws MeshError LIMIT_BYTES, LIMIT_CONTENT, CODEC_MALFORMED
 */
export function decodeHeaderCore(payload: Uint8Array, limits: Limits): HeaderCore {
  const read = headerCore.read(decoded(payload, limits), 'header', limits)
  return {
    v: read.v,
    critical: read.critical,
    fleet: read.fleet,
    channel: read.channel,
    root: read.root,
    publisher: read.publisher,
    clock: read.clock,
    id: sha256(payload) as string as ReleaseId,
    counter: ownCounter(read.clock, read.publisher),
  }
}

/**
 * @param payload the envelope's signed bytes, as received
 * @throws MeshError LIMIT_BYTES, LIMIT_CONTENT, CODEC_MALFORMED, CODEC_UNSUPPORTED (another `v`)
 */
export function decodeHeader(payload: Uint8Array, limits: Limits): Release {
  const read = header.read(decoded(payload, limits), 'header', limits)
  return {
    id: sha256(payload) as string as ReleaseId,
    header: read,
    counter: ownCounter(read.clock, read.publisher),
  }
}

export const encodeHeader = (value: Header): Uint8Array => encode(header.write(value))
