/** Forms of ids, places and times as they stand in dag-cbor documents and messages. */
import type { BeaconEntry, ChannelHash } from '../model/beacon.ts'
import type { Digest, FleetId, KeyId, Name, PeerId, ReleaseId } from '../model/ids.ts'
import { parseAddress, parseChannel, parseName, parsePattern, parsePeerId } from '../model/names.ts'
import type { Place } from '../model/place.ts'
import { convert, type Form, hash, int, malformed, parsed } from './fields.ts'

export const digest: Form<Digest> = hash(32)
export const releaseId: Form<ReleaseId> = hash(32)
export const fleetId: Form<FleetId> = hash(32)
export const keyId: Form<KeyId> = hash(32)
export const channelHash: Form<ChannelHash> = hash(16)

export const channel = parsed(parseChannel)
export const pattern = parsed(parsePattern)
export const name = parsed(parseName)
export const peerId: Form<PeerId> = parsed(parsePeerId)
export const address = parsed(parseAddress)

/** Milliseconds since 1970, up to the year 9999. */
export const MAX_TIME_MS = 253_402_300_799_999
export const timeMs = int(0, MAX_TIME_MS)

/** A list of exactly these parts. */
export const tuple = <T extends readonly unknown[]>(
  ...forms: { readonly [K in keyof T]: Form<T[K]> }
): Form<T> => ({
  read(value, at, limits) {
    if (!Array.isArray(value) || value.length !== forms.length)
      throw malformed(at, `expected a list of ${forms.length}`)
    return forms.map((form, index) => form.read(value[index], `${at}[${index}]`, limits)) as unknown as T
  },
  write: (value) => forms.map((form, index) => form.write(value[index])),
})

/** Empty only in the place from which a raised epoch starts. */
const nameOrNone: Form<Name | ''> = {
  read: (value, at, limits) => (value === '' ? '' : name.read(value, at, limits)),
  write: (value) => value,
}

/** `[epoch, counter, publisher]`. */
export const place: Form<Place> = convert<readonly [number, number, Name | ''], Place>(
  tuple(int(), int(), nameOrNone),
  ([epoch, counter, publisher]) => ({ epoch, counter, publisher }),
  ({ epoch, counter, publisher }) => [epoch, counter, publisher],
)

/** A release, `"held"`, or null for none. */
export const target: Form<BeaconEntry['target']> = {
  read(value, at, limits) {
    if (value === null) return 'none'
    return value === 'held' ? 'held' : releaseId.read(value, at, limits)
  },
  write(value) {
    if (value === 'none') return null
    return value === 'held' ? value : releaseId.write(value)
  },
}
