/** Freshness beacons and their pages. */
import type { Limits } from '../limits.ts'
import type { Beacon, BeaconEntry, BeaconPage, ChannelHash } from '../model/beacon.ts'
import type { Place } from '../model/place.ts'
import { decodeStrict, encode } from './cbor.ts'
import { convert, critical, type Form, int, list, malformed, open, version } from './fields.ts'
import { channelHash, digest, fleetId, keyId, place, target, timeMs, tuple } from './ids.ts'

const beacon: Form<Beacon> = open({
  v: version,
  critical,
  fleet: fleetId,
  root: int(1),
  key: keyId,
  at: timeMs,
  pages: list(digest, (limits) => 2 ** limits.maxBeaconPageBits, 1, 'LIMIT_BYTES'),
})

/**
 * @param payload the envelope's signed bytes, as received
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED
 */
export function decodeBeacon(payload: Uint8Array, limits: Limits): Beacon {
  const bounds = { maxBytes: limits.maxBeaconBytes, limits, what: 'beacon' }
  const read = beacon.read(decodeStrict(payload, bounds), 'beacon', limits)
  // A channel's page is the first k bits of its hash, so their number is 2^k.
  if (!Number.isInteger(Math.log2(read.pages.length)))
    throw malformed('beacon.pages', `${read.pages.length} pages; their number is a power of two`)
  return read
}

export const encodeBeacon = (value: Beacon): Uint8Array => encode(beacon.write(value))

/** `[channel hash, top, target]`. */
const entry: Form<BeaconEntry> = convert<readonly [ChannelHash, Place, BeaconEntry['target']], BeaconEntry>(
  tuple(channelHash, place, target),
  ([channel, top, release]) => ({ channel, top, target: release }),
  ({ channel, top, target: release }) => [channel, top, release],
)

/** With all 2^8 pages in use one may fill a block: an entry takes at least 24 bytes. */
const page = list(entry, (limits) => limits.maxItems)

/**
 * A page is fetched as a block, so its bytes are bounded like one's. Entries ascend, each channel once, so that
 * equal seeds sign equal digests.
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED
 */
export function decodeBeaconPage(encoded: Uint8Array, limits: Limits): BeaconPage {
  const bounds = { maxBytes: limits.maxBlockBytes, limits, what: 'beacon page' }
  const read = page.read(decodeStrict(encoded, bounds), 'beacon page', limits)
  for (const [index, { channel }] of read.entries())
    if (index > 0 && channel <= (read[index - 1] as BeaconEntry).channel)
      throw malformed(`beacon page[${index}]`, 'channels do not ascend')
  return read
}

export const encodeBeaconPage = (value: BeaconPage): Uint8Array => encode(page.write(value))
